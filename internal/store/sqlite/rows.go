package sqlite

import (
	"cmp"
	"database/sql/driver"
	"slices"
	"time"

	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// The order of the columns is the same in every statement and in the functions
// that read and bind them. Statements that are run for each operation have no
// ORDER BY: beside a parameter it makes SQLite prepare them anew every time.
const (
	verificationColumns = `id, account, service, purpose, number_index, number_sealed, country, prefix, limit_key, binding,
		order_key, key_id, code_mac, created_at, settings, status, reason, sealed, token_hash, guesses, sends, step,
		expires_at, ended_at, context`
	selectVerification = `SELECT ` + verificationColumns + ` FROM verifications WHERE id = ? AND account = ?`
	selectAnyones      = `SELECT ` + verificationColumns + ` FROM verifications WHERE id = ?`
	// What a verification was started with changes only where it is replaced as
	// a whole.
	upsertVerification = `INSERT INTO verifications (` + verificationColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET service = excluded.service, purpose = excluded.purpose,
		number_index = excluded.number_index, number_sealed = excluded.number_sealed, country = excluded.country,
		prefix = excluded.prefix, limit_key = excluded.limit_key, binding = excluded.binding, order_key = excluded.order_key,
		key_id = excluded.key_id, code_mac = excluded.code_mac, created_at = excluded.created_at,
		settings = excluded.settings, status = excluded.status, reason = excluded.reason, sealed = excluded.sealed,
		token_hash = excluded.token_hash, guesses = excluded.guesses, sends = excluded.sends, step = excluded.step,
		expires_at = excluded.expires_at, ended_at = excluded.ended_at, context = excluded.context WHERE account = excluded.account`
	// A guess or a send changes only these, and no index has them.
	countVerification = `UPDATE verifications SET guesses = ?, sends = ?, step = ? WHERE id = ?`
	// An end changes these.
	endVerification = `UPDATE verifications SET status = ?, reason = ?, sealed = ?, token_hash = ?, guesses = ?, sends = ?, step = ?,
		expires_at = ?, ended_at = ? WHERE id = ?`

	attemptColumns = `id, verification, account, n, send, step, channel, route, state, ref, outcome, reason, may_have_rung,
		fault, permanent, gate, ungated, screen, gate_passed, readouts, stop, created_at, dialled_at, answered_at, ended_at,
		rung_at, gate_at`
	selectAttempts = `SELECT ` + attemptColumns + ` FROM attempts WHERE verification = ?`
	// What most attempts are when they are written first.
	insertAttempt = `INSERT INTO attempts (` + attemptColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, '', 'queued', '', '', '', 0, '', 0, '', 0, NULL, 0, 0, '', ?, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING`
	// What is written before a call leaves.
	dialAttempt = `UPDATE attempts SET state = 'dialling', route = ?, gate = ?, ungated = ?, screen = ?, dialled_at = ?
		WHERE verification = ? AND n = ?`
	updateAttempt = `UPDATE attempts SET route = ?, state = ?, ref = ?, outcome = ?, reason = ?, may_have_rung = ?, fault = ?,
		permanent = ?, gate = ?, ungated = ?, screen = ?, gate_passed = ?, readouts = ?, stop = ?, dialled_at = ?, answered_at = ?,
		ended_at = ?, rung_at = ?, gate_at = ? WHERE verification = ? AND n = ?`
	upsertAttempt = `INSERT INTO attempts (` + attemptColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET n = excluded.n, send = excluded.send, step = excluded.step,
		channel = excluded.channel, route = excluded.route, state = excluded.state, ref = excluded.ref,
		outcome = excluded.outcome, reason = excluded.reason, may_have_rung = excluded.may_have_rung,
		fault = excluded.fault, permanent = excluded.permanent, gate = excluded.gate, ungated = excluded.ungated, screen = excluded.screen,
		gate_passed = excluded.gate_passed, readouts = excluded.readouts, stop = excluded.stop,
		created_at = excluded.created_at, dialled_at = excluded.dialled_at, answered_at = excluded.answered_at,
		ended_at = excluded.ended_at, rung_at = excluded.rung_at, gate_at = excluded.gate_at WHERE account = excluded.account AND verification = excluded.verification`
)

// verification reads one; account "" is any. verify.ErrAbsent.
func verification(c *conn, account, id string) (*verify.Verification, error) {
	var v *verify.Verification
	each := func(r *row) (err error) {
		v = &verify.Verification{
			ID: r.text(), Account: r.text(), Service: r.text(), Purpose: r.text(), NumberIndex: r.bytes(),
			NumberSealed: r.bytes(), Country: r.text(), Prefix: r.text(), LimitKey: r.text(), Binding: r.bytes(),
			Order: r.bytes(), KeyID: r.text(), CodeMAC: r.bytes(), CreatedAt: r.time(),
		}
		v.Settings, err = c.settings.Decode(r.text())
		v.Status, v.Reason, v.Sealed, v.TokenHash = verify.Status(r.text()), r.text(), r.bytes(), r.bytes()
		v.Guesses, v.Sends, v.Step, v.ExpiresAt, v.EndedAt = r.int(), r.int(), r.int(), r.time(), r.time()
		v.Context = r.bytes()
		return err
	}
	var err error
	if account == "" {
		err = c.query(selectAnyones, each, id)
	} else {
		err = c.query(selectVerification, each, id, account)
	}
	if err == nil && v == nil {
		err = verify.ErrAbsent
	}
	return v, err
}

// attemptsOf reads a verification's attempts, oldest first.
func attemptsOf(c *conn, id string) ([]verify.Attempt, error) {
	var out []verify.Attempt
	err := c.query(selectAttempts, func(r *row) error {
		out = append(out, verify.Attempt{
			ID: r.text(), Verification: r.text(), Account: r.text(), N: r.int(), Send: r.int(), Step: r.int(),
			Channel: phone.Channel(r.text()), Route: r.text(), State: verify.AttemptState(r.text()), Ref: r.text(),
			Outcome: outcome.Outcome(r.text()), Reason: r.text(), MayHaveRung: r.bool(), Fault: outcome.Fault(r.text()),
			Permanent: r.bool(), Gate: script.Gate(r.text()), Ungated: r.bool(), Screen: r.bytes(), GatePassed: r.bool(), Readouts: r.int(),
			Stop: r.text(), CreatedAt: r.time(), DialledAt: r.time(), AnsweredAt: r.time(), EndedAt: r.time(),
			RungAt: r.time(), GateAt: r.time(),
		})
		return nil
	}, id)
	slices.SortFunc(out, func(a, b verify.Attempt) int { return cmp.Compare(a.N, b.N) })
	return out, err
}

// putVerification inserts, changes or replaces one.
func (t *tx) putVerification(h *store.Held) error {
	v := h.Verification
	if h.Stored != nil {
		switch store.ChangeOf(h.Stored, v) {
		case store.Counts:
			return t.one(countVerification, int64(v.Guesses), int64(v.Sends), int64(v.Step), v.ID)
		case store.Progress:
			return t.one(endVerification, string(v.Status), v.Reason, blob(v.Sealed), blob(v.TokenHash), int64(v.Guesses), int64(v.Sends),
				int64(v.Step), at(v.ExpiresAt), at(v.EndedAt), v.ID)
		}
	}
	settings, err := t.settings.Encode(v.Settings)
	if err != nil {
		return err
	}
	return t.one(upsertVerification, v.ID, v.Account, v.Service, v.Purpose, blob(v.NumberIndex), blob(v.NumberSealed),
		v.Country, v.Prefix, v.LimitKey, blob(v.Binding), blob(v.Order), v.KeyID, blob(v.CodeMAC), at(v.CreatedAt), settings,
		string(v.Status), v.Reason, blob(v.Sealed), blob(v.TokenHash), int64(v.Guesses), int64(v.Sends), int64(v.Step),
		at(v.ExpiresAt), at(v.EndedAt), blob(v.Context))
}

// one runs a statement that must change a row; where it changes none, the row is
// another account's.
func (t *tx) one(sql string, args ...driver.Value) error {
	n, err := t.exec(sql, args...)
	if err == nil && n == 0 {
		err = store.ErrForeign
	}
	return err
}

// putAttempt inserts, changes or replaces one. What it was begun with does not
// change.
func (t *tx) putAttempt(a store.Written) error {
	fresh := a.Attempt
	fresh.Route, fresh.Gate, fresh.Ungated, fresh.Screen, fresh.DialledAt = "", "", false, nil, time.Time{}
	switch {
	case !a.Stored && a.State == verify.StateQueued && isBeginning(&a.Attempt):
		n, err := t.exec(insertAttempt, a.ID, a.Verification, a.Account, int64(a.N), int64(a.Send), int64(a.Step), string(a.Channel), at(a.CreatedAt))
		if n > 0 || err != nil {
			return err
		}
	case a.Stored && a.State == verify.StateDialling && isBeginning(&fresh):
		return t.one(dialAttempt, a.Route, string(a.Gate), flag(a.Ungated), blob(a.Screen), at(a.DialledAt), a.Verification, int64(a.N))
	case a.Stored:
		return t.one(updateAttempt, a.Route, string(a.State), a.Ref, string(a.Outcome), a.Reason, flag(a.MayHaveRung),
			string(a.Fault), flag(a.Permanent), string(a.Gate), flag(a.Ungated), blob(a.Screen), flag(a.GatePassed), int64(a.Readouts), a.Stop,
			at(a.DialledAt), at(a.AnsweredAt), at(a.EndedAt), at(a.RungAt), at(a.GateAt), a.Verification, int64(a.N))
	}
	return t.one(upsertAttempt, a.ID, a.Verification, a.Account, int64(a.N), int64(a.Send), int64(a.Step),
		string(a.Channel), a.Route, string(a.State), a.Ref, string(a.Outcome), a.Reason, flag(a.MayHaveRung),
		string(a.Fault), flag(a.Permanent), string(a.Gate), flag(a.Ungated), blob(a.Screen), flag(a.GatePassed), int64(a.Readouts), a.Stop,
		at(a.CreatedAt), at(a.DialledAt), at(a.AnsweredAt), at(a.EndedAt), at(a.RungAt), at(a.GateAt))
}

// isBeginning says that nothing has become of an attempt beside its state.
func isBeginning(a *verify.Attempt) bool {
	return a.Route == "" && a.Ref == "" && a.Outcome == "" && a.Reason == "" && !a.MayHaveRung && a.Fault == "" && !a.Permanent &&
		a.Gate == "" && !a.Ungated && len(a.Screen) == 0 && !a.GatePassed && a.Readouts == 0 && a.Stop == "" && a.DialledAt.IsZero() &&
		a.RungAt.IsZero() && a.AnsweredAt.IsZero() && a.GateAt.IsZero() && a.EndedAt.IsZero()
}
