package sqlite

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"slices"

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
	selectVerification = `SELECT n, ` + verificationColumns + ` FROM verifications WHERE id = ?`
	insertVerification = `INSERT INTO verifications (n, ` + verificationColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
	// What a verification was started with changes only where it is replaced as
	// a whole.
	replaceVerification = `UPDATE verifications SET (id, account, service, purpose, number_index, number_sealed, country, prefix,
		limit_key, binding, order_key, key_id, code_mac, created_at, settings, status, reason, sealed, token_hash, guesses, sends, step,
		expires_at, ended_at, context) = (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
		?23, ?24, ?25) WHERE id = ?1 AND account = ?2`
	selectNumber = `SELECT n FROM verifications WHERE id = ?`
	// The attempts of a verification by its id: see attemptsPer.
	ofFirst = `row BETWEEN (SELECT n FROM verifications WHERE id = ?1) * 4096 AND (SELECT n FROM verifications WHERE id = ?1) * 4096 + 4095`
	// A guess or a send changes only these, and no index has them.
	countVerification = `UPDATE verifications SET guesses = ?, sends = ?, step = ? WHERE n = ?`
	// An end changes these.
	endVerification = `UPDATE verifications SET status = ?, reason = ?, sealed = ?, token_hash = ?, guesses = ?, sends = ?, step = ?,
		expires_at = ?, ended_at = ? WHERE n = ?`

	attemptColumns = `id, verification, account, n, send, step, channel, route, state, ref, outcome, reason, may_have_rung,
		fault, permanent, gate, ungated, screen, gate_passed, readouts, stop, created_at, dialled_at, answered_at, ended_at,
		rung_at, gate_at`
	selectAttempts = `SELECT ` + attemptColumns + ` FROM attempts WHERE row BETWEEN ? AND ?`
	// What most attempts are when they are written first.
	insertAttempt = `INSERT INTO attempts (row, ` + attemptColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, '', 'queued', '', '', '', 0, '', 0, '', 0, NULL, 0, 0, '', ?, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING`
	// What is written before a call leaves.
	dialAttempt   = `UPDATE attempts SET state = ?, route = ?, gate = ?, ungated = ?, screen = ?, dialled_at = ? WHERE row = ?`
	updateAttempt = `UPDATE attempts SET route = ?, state = ?, ref = ?, outcome = ?, reason = ?, may_have_rung = ?, fault = ?,
		permanent = ?, gate = ?, ungated = ?, screen = ?, gate_passed = ?, readouts = ?, stop = ?, dialled_at = ?, answered_at = ?,
		ended_at = ?, rung_at = ?, gate_at = ? WHERE row = ?`
	upsertAttempt = `INSERT INTO attempts (row, ` + attemptColumns + `)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET row = excluded.row, n = excluded.n, send = excluded.send, step = excluded.step,
		channel = excluded.channel, route = excluded.route, state = excluded.state, ref = excluded.ref,
		outcome = excluded.outcome, reason = excluded.reason, may_have_rung = excluded.may_have_rung,
		fault = excluded.fault, permanent = excluded.permanent, gate = excluded.gate, ungated = excluded.ungated, screen = excluded.screen,
		gate_passed = excluded.gate_passed, readouts = excluded.readouts, stop = excluded.stop,
		created_at = excluded.created_at, dialled_at = excluded.dialled_at, answered_at = excluded.answered_at,
		ended_at = excluded.ended_at, rung_at = excluded.rung_at, gate_at = excluded.gate_at WHERE account = excluded.account AND verification = excluded.verification`
)

// An attempt's row is the number of its verification times attemptsPer, and its
// own number: an index would cost each of them a page.
const attemptsPer = 4096

// rowsOf are the first and the last row of a verification's attempts.
func rowsOf(n int64) (first, last int64) { return n * attemptsPer, (n+1)*attemptsPer - 1 }

// verification reads one with its number; account "" is any. verify.ErrAbsent.
func verification(c *conn, account, id string) (v *verify.Verification, n int64, err error) {
	err = c.query(selectVerification, func(r *row) (err error) {
		n = r.int64()
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
	}, id)
	if err == nil && (v == nil || account != "" && v.Account != account) {
		return nil, 0, verify.ErrAbsent
	}
	return v, n, err
}

// attemptsOf reads the attempts of the verification with a number, oldest first.
func attemptsOf(c *conn, n int64) ([]verify.Attempt, error) {
	var out []verify.Attempt
	first, last := rowsOf(n)
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
	}, first, last)
	slices.SortFunc(out, func(a, b verify.Attempt) int { return cmp.Compare(a.N, b.N) })
	return out, err
}

// putVerification inserts, changes or replaces one.
func (t *tx) putVerification(h *store.Held) error {
	v := h.Verification
	if h.Stored != nil {
		n, err := t.number(v.ID)
		if err != nil {
			return err
		}
		switch store.ChangeOf(h.Stored, v) {
		case store.Counts:
			return t.one(countVerification, int64(v.Guesses), int64(v.Sends), int64(v.Step), n)
		case store.Progress:
			return t.one(endVerification, string(v.Status), v.Reason, blob(v.Sealed), blob(v.TokenHash), int64(v.Guesses), int64(v.Sends),
				int64(v.Step), at(v.ExpiresAt), at(v.EndedAt), n)
		}
	}
	settings, err := t.settings.Encode(v.Settings)
	if err != nil {
		return err
	}
	args := []driver.Value{
		t.last + 1, v.ID, v.Account, v.Service, v.Purpose, blob(v.NumberIndex), blob(v.NumberSealed),
		v.Country, v.Prefix, v.LimitKey, blob(v.Binding), blob(v.Order), v.KeyID, blob(v.CodeMAC), at(v.CreatedAt), settings,
		string(v.Status), v.Reason, blob(v.Sealed), blob(v.TokenHash), int64(v.Guesses), int64(v.Sends), int64(v.Step),
		at(v.ExpiresAt), at(v.EndedAt), blob(v.Context),
	}
	if h.Stored == nil {
		if n, err := t.exec(insertVerification, args...); n > 0 || err != nil {
			t.last++
			t.numbers[v.ID] = t.last
			return err
		}
	}
	return t.one(replaceVerification, args[1:]...)
}

// number gives the number of a verification that is written to.
func (t *tx) number(id string) (int64, error) {
	n, ok := t.numbers[id]
	if ok {
		return n, nil
	}
	err := t.query(selectNumber, func(r *row) error { n = r.int64(); return nil }, id)
	if err == nil && n == 0 {
		err = store.ErrForeign
	}
	t.numbers[id] = n
	return n, err
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
	n, err := t.number(a.Verification)
	if err != nil {
		return err
	}
	if a.N < 0 || a.N >= attemptsPer {
		return fmt.Errorf("sqlite: a verification has at most %d attempts", attemptsPer-1)
	}
	row := n*attemptsPer + int64(a.N)
	switch a.Change() {
	case store.Queued:
		n, err := t.exec(insertAttempt, row, a.ID, a.Verification, a.Account, int64(a.N), int64(a.Send), int64(a.Step), string(a.Channel), at(a.CreatedAt))
		if n > 0 || err != nil {
			return err
		}
	case store.Dialled:
		return t.one(dialAttempt, string(a.State), a.Route, string(a.Gate), flag(a.Ungated), blob(a.Screen), at(a.DialledAt), row)
	case store.Delivered:
		return t.one(updateAttempt, a.Route, string(a.State), a.Ref, string(a.Outcome), a.Reason, flag(a.MayHaveRung),
			string(a.Fault), flag(a.Permanent), string(a.Gate), flag(a.Ungated), blob(a.Screen), flag(a.GatePassed), int64(a.Readouts), a.Stop,
			at(a.DialledAt), at(a.AnsweredAt), at(a.EndedAt), at(a.RungAt), at(a.GateAt), row)
	}
	return t.one(upsertAttempt, row, a.ID, a.Verification, a.Account, int64(a.N), int64(a.Send), int64(a.Step),
		string(a.Channel), a.Route, string(a.State), a.Ref, string(a.Outcome), a.Reason, flag(a.MayHaveRung),
		string(a.Fault), flag(a.Permanent), string(a.Gate), flag(a.Ungated), blob(a.Screen), flag(a.GatePassed), int64(a.Readouts), a.Stop,
		at(a.CreatedAt), at(a.DialledAt), at(a.AnsweredAt), at(a.EndedAt), at(a.RungAt), at(a.GateAt))
}
