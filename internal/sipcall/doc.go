// Package sipcall is our own SIP caller (RFC 3261): it places calls through a
// trunk's proxies, answers calls back, and gives each connected call its sound.
//
// It knows signalling: dialogs, proxies, digest, SDP, and how a call can end. It
// must not know what is said in a call, or why the call is made: no codes, no
// scripts, no routes, no storage. Numbers, keys and bodies never reach its log.
//
// The parser, transports and transactions are sipgo's. The dialog is our own,
// because a verification call may not ring twice, may not ring on after it was
// given up, and must say of every ending whether the phone may have rung.
package sipcall
