// Package secret holds what must never be printed: codes, API tokens and the keyring, and the cryptography over them.
//
// It knows random numbers, HMAC, sealing and how to mask itself in every form fmt, log/slog and encoding/json have. It must
// not know what a verification, an account or a database is: callers name a domain and give strings.
//
// Each secret type keeps its bytes behind a *string or a closure. fmt calls no methods on unexported fields, and none while it
// reports a wrong verb ("%w" of a non-error); it then prints an address for these two, but follows a pointer to a struct or an
// array.
package secret
