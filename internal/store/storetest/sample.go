package storetest

import (
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/secret"
	"github.com/pincall/pincall/internal/verify"
)

// Sample is a verification with its first attempt, of the sizes that real ones
// have.
type Sample struct {
	V verify.Verification
	A verify.Attempt
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// NewSample makes one that is begun now, of a number that nobody else has. It
// bears any number of guesses.
func NewSample(now time.Time) Sample {
	now = now.UTC().Truncate(time.Microsecond)
	v := verify.Verification{
		ID: secret.NewID(now, nil), Account: "01k0000000000000000000acct", Service: "01k0000000000000000000serv",
		Purpose: "login", NumberIndex: random(32), NumberSealed: random(60), Country: "JP", Prefix: "818012",
		LimitKey: "n/" + hex.EncodeToString(random(32)), Binding: random(32), Order: random(32), Status: verify.Pending,
		KeyID: "k1", CodeMAC: random(32), Sealed: random(64), TokenHash: random(32), Sends: 1, CreatedAt: now,
		ExpiresAt: now.Add(10 * time.Minute),
		Settings: verify.Settings{
			StartedBy: "01k00000000000000000000key", Language: "ja", Brand: "Acme", CodeLength: 6, MaxGuesses: 1 << 40,
			MaxSends: 5, Gate: script.GateAnyKey, GatePolicy: account.GatePrefer,
			Workflow: []account.Step{{Channel: phone.Voice, Timeout: time.Minute}},
		},
	}
	a := verify.Attempt{
		ID: secret.NewID(now, nil), Verification: v.ID, Account: v.Account, N: 1, Send: 1, Channel: phone.Voice,
		State: verify.StateQueued, CreatedAt: now,
	}
	return Sample{v, a}
}

// AccountKey names the counters of the sample's account.
func (x Sample) AccountKey() string { return "a/" + x.V.Account }

// Start is the operation of a start: two rows of limits, a verification, an
// attempt, a job. It supersedes what is pending.
func (x Sample) Start() verify.Op {
	limits, acc := guard.Limits{Countries: []string{"JP"}}.WithDefaults(), x.AccountKey()
	limits.AccountStarts.N, limits.Calls.N, limits.ConcurrentCalls = 1<<40, 1<<40, 1<<40
	limits.Starts.N = 1 << 40
	return verify.Op{
		Need: verify.Need{Account: x.V.Account, Binding: x.V.Binding, Limits: []string{x.V.LimitKey, acc}},
		Plan: func(s verify.State) (verify.Writes, error) {
			req := guard.Request{Start: true, Send: true, Call: true, Country: "JP"}
			_, n, a := limits.Decide(req, s.Limits[x.V.LimitKey], s.Limits[acc], s.Now)
			w := verify.Writes{
				Attempts: []verify.Attempt{x.A},
				Limits: map[string]verify.LimitRow{
					x.V.LimitKey: {Row: n, KeepUntil: limits.KeepUntil(n, s.Now)}, acc: {Row: a, KeepUntil: limits.KeepUntil(a, s.Now)},
				},
				Jobs: []jobs.New{{Kind: jobs.Deliver, Subject: x.A.ID, Order: x.V.Order, Due: s.Now}},
			}
			for _, g := range s.Pending {
				v := g.Verification
				v.Status, v.Reason, v.EndedAt, v.Sealed, v.TokenHash = verify.Canceled, verify.ReasonSuperseded, s.Now, nil, nil
				w.Verifications = append(w.Verifications, v)
			}
			w.Verifications = append(w.Verifications, x.V)
			return w, nil
		},
	}
}

// Check is the operation of a wrong guess.
func (x Sample) Check() verify.Op {
	limits, acc := guard.Limits{}.WithDefaults(), x.AccountKey()
	return verify.Op{
		Need: verify.Need{Account: x.V.Account, Verification: x.V.ID, Limits: []string{acc}},
		Plan: func(s verify.State) (verify.Writes, error) {
			v := *s.Verification
			v.Guesses++
			row := limits.CountWrong(s.Limits[v.LimitKey], s.Now)
			return verify.Writes{
				Verifications: []verify.Verification{v},
				Limits:        map[string]verify.LimitRow{v.LimitKey: {Row: row, KeepUntil: limits.KeepUntil(row, s.Now)}},
			}, nil
		},
	}
}
