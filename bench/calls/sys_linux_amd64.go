package main

// sysSendmmsg is sendmmsg's number, which package syscall lacks on this machine.
const sysSendmmsg = 307
