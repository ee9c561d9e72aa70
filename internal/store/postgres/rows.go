package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// The order of the columns is the same in every statement and in the functions
// that read and bind them.
const (
	verificationColumns = `id, account, service, purpose, number_index, number_sealed, country, prefix, limit_key, binding,
		order_key, key_id, code_mac, created_at, settings, status, reason, sealed, token_hash, guesses, sends, step,
		expires_at, ended_at, context`
	attemptColumns = `id, verification, account, n, send, step, channel, route, state, ref, outcome, reason, may_have_rung,
		fault, permanent, gate, ungated, screen, gate_passed, readouts, stop, created_at, dialled_at, answered_at, ended_at,
		rung_at, gate_at`

	// The columns come as arrays. As functions of the select list they give one row
	// after the other; in FROM each would be stored as a table first.
	insertVerifications = `INSERT INTO verifications AS v (` + verificationColumns + `)
		SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::bytea[]),
			unnest($6::bytea[]), unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::bytea[]),
			unnest($11::bytea[]), unnest($12::text[]), unnest($13::bytea[]), unnest($14::bigint[]),
			unnest($15::text[]), unnest($16::text[]), unnest($17::text[]), unnest($18::bytea[]),
			unnest($19::bytea[]), unnest($20::int[]), unnest($21::int[]), unnest($22::int[]), unnest($23::bigint[]),
			unnest($24::bigint[]), unnest($25::bytea[])`
	upsertVerifications = insertVerifications + `
		ON CONFLICT (id) DO UPDATE SET service = excluded.service, purpose = excluded.purpose,
		number_index = excluded.number_index, number_sealed = excluded.number_sealed, country = excluded.country,
		prefix = excluded.prefix, limit_key = excluded.limit_key, binding = excluded.binding, order_key = excluded.order_key,
		key_id = excluded.key_id, code_mac = excluded.code_mac, created_at = excluded.created_at,
		settings = excluded.settings, status = excluded.status, reason = excluded.reason, sealed = excluded.sealed,
		token_hash = excluded.token_hash, guesses = excluded.guesses, sends = excluded.sends, step = excluded.step,
		expires_at = excluded.expires_at, ended_at = excluded.ended_at, context = excluded.context
		WHERE v.account = excluded.account`
	// A guess or a send changes only these, and no index has them. (Here and below
	// the ids are named twice, so that no plan reads more of the table than that.)
	countVerifications = `UPDATE verifications AS v SET guesses = w.guesses, sends = w.sends, step = w.step
		FROM (SELECT unnest($1::text[]) AS id, unnest($2::int[]) AS guesses, unnest($3::int[]) AS sends,
			unnest($4::int[]) AS step) AS w
		WHERE v.id = w.id AND v.id = ANY ($1::text[])`
	// The end of a verification changes these.
	endVerifications = `UPDATE verifications AS v SET guesses = w.guesses, sends = w.sends, step = w.step, status = w.status,
		reason = w.reason, sealed = w.sealed, token_hash = w.token_hash, ended_at = w.ended_at
		FROM (SELECT unnest($1::text[]) AS id, unnest($2::int[]) AS guesses, unnest($3::int[]) AS sends,
			unnest($4::int[]) AS step, unnest($5::text[]) AS status, unnest($6::text[]) AS reason,
			unnest($7::bytea[]) AS sealed, unnest($8::bytea[]) AS token_hash, unnest($9::bigint[]) AS ended_at) AS w
		WHERE v.id = w.id AND v.id = ANY ($1::text[])`

	insertAttempts = `INSERT INTO attempts AS a (` + attemptColumns + `)
		SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::int[]), unnest($5::int[]),
			unnest($6::int[]), unnest($7::text[]), unnest($8::text[]), unnest($9::text[]), unnest($10::text[]),
			unnest($11::text[]), unnest($12::text[]), unnest($13::bool[]), unnest($14::text[]), unnest($15::bool[]),
			unnest($16::text[]), unnest($17::bool[]), unnest($18::bytea[]), unnest($19::bool[]), unnest($20::int[]),
			unnest($21::text[]), unnest($22::bigint[]), unnest($23::bigint[]), unnest($24::bigint[]),
			unnest($25::bigint[]), unnest($26::bigint[]), unnest($27::bigint[])`
	upsertAttempts = insertAttempts + `
		ON CONFLICT (id) DO UPDATE SET n = excluded.n, send = excluded.send, step = excluded.step,
		channel = excluded.channel, route = excluded.route, state = excluded.state, ref = excluded.ref,
		outcome = excluded.outcome, reason = excluded.reason, may_have_rung = excluded.may_have_rung,
		fault = excluded.fault, permanent = excluded.permanent, gate = excluded.gate, ungated = excluded.ungated, screen = excluded.screen,
		gate_passed = excluded.gate_passed, readouts = excluded.readouts, stop = excluded.stop,
		created_at = excluded.created_at, dialled_at = excluded.dialled_at, answered_at = excluded.answered_at,
		ended_at = excluded.ended_at, rung_at = excluded.rung_at, gate_at = excluded.gate_at
		WHERE a.account = excluded.account AND a.verification = excluded.verification`
	// An attempt begins with the same in most columns.
	queueAttempts = `INSERT INTO attempts (` + attemptColumns + `)
		SELECT unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::int[]), unnest($5::int[]),
			unnest($6::int[]), unnest($7::text[]), '', 'queued', '', '', '', false, '', false, '', false, NULL, false, 0, '',
			unnest($8::bigint[]), 0, 0, 0, 0, 0`
	// A delivery changes these, and no index has them.
	deliverAttempts = `UPDATE attempts AS a SET route = w.route, state = w.state, ref = w.ref, outcome = w.outcome, reason = w.reason,
		may_have_rung = w.may_have_rung, fault = w.fault, permanent = w.permanent, gate = w.gate, ungated = w.ungated,
		screen = w.screen, gate_passed = w.gate_passed, readouts = w.readouts, stop = w.stop, dialled_at = w.dialled_at,
		answered_at = w.answered_at, ended_at = w.ended_at, rung_at = w.rung_at, gate_at = w.gate_at
		FROM (SELECT unnest($1::text[]) AS id, unnest($2::text[]) AS route, unnest($3::text[]) AS state,
			unnest($4::text[]) AS ref, unnest($5::text[]) AS outcome, unnest($6::text[]) AS reason,
			unnest($7::bool[]) AS may_have_rung, unnest($8::text[]) AS fault, unnest($9::bool[]) AS permanent,
			unnest($10::text[]) AS gate, unnest($11::bool[]) AS ungated, unnest($12::bytea[]) AS screen,
			unnest($13::bool[]) AS gate_passed, unnest($14::int[]) AS readouts, unnest($15::text[]) AS stop,
			unnest($16::bigint[]) AS dialled_at, unnest($17::bigint[]) AS answered_at,
			unnest($18::bigint[]) AS ended_at, unnest($19::bigint[]) AS rung_at, unnest($20::bigint[]) AS gate_at) AS w
		WHERE a.id = w.id AND a.id = ANY ($1::text[])`
	// So does what is known before a call leaves.
	dialAttempts = `UPDATE attempts AS a SET route = w.route, state = w.state, gate = w.gate, ungated = w.ungated,
		screen = w.screen, dialled_at = w.dialled_at
		FROM (SELECT unnest($1::text[]) AS id, unnest($2::text[]) AS route, unnest($3::text[]) AS state,
			unnest($4::text[]) AS gate, unnest($5::bool[]) AS ungated, unnest($6::bytea[]) AS screen,
			unnest($7::bigint[]) AS dialled_at) AS w
		WHERE a.id = w.id AND a.id = ANY ($1::text[])`
)

// scanVerification reads one row of verificationColumns.
func (s *Store) scanVerification(r pgx.Rows) (v verify.Verification, err error) {
	var created, expires, ended int64
	var text string
	err = r.Scan(&v.ID, &v.Account, &v.Service, &v.Purpose, &v.NumberIndex, &v.NumberSealed, &v.Country, &v.Prefix, &v.LimitKey,
		&v.Binding, &v.Order, &v.KeyID, &v.CodeMAC, &created, &text, (*string)(&v.Status), &v.Reason, &v.Sealed, &v.TokenHash,
		&v.Guesses, &v.Sends, &v.Step, &expires, &ended, &v.Context)
	if err != nil {
		return v, err
	}
	v.CreatedAt, v.ExpiresAt, v.EndedAt = store.Time(created), store.Time(expires), store.Time(ended)
	v.Settings, err = s.settings.decode(text)
	return v, err
}

// scanAttempt reads one row of attemptColumns.
func scanAttempt(r pgx.Rows) (a verify.Attempt, err error) {
	var created, dialled, answered, ended, rung, gate int64
	err = r.Scan(&a.ID, &a.Verification, &a.Account, &a.N, &a.Send, &a.Step, (*string)(&a.Channel), &a.Route, (*string)(&a.State),
		&a.Ref, (*string)(&a.Outcome), &a.Reason, &a.MayHaveRung, (*string)(&a.Fault), &a.Permanent, (*string)(&a.Gate), &a.Ungated,
		&a.Screen, &a.GatePassed, &a.Readouts, &a.Stop, &created, &dialled, &answered, &ended, &rung, &gate)
	a.CreatedAt, a.DialledAt, a.AnsweredAt = store.Time(created), store.Time(dialled), store.Time(answered)
	a.EndedAt, a.RungAt, a.GateAt = store.Time(ended), store.Time(rung), store.Time(gate)
	return a, err
}

// column gives one column of the rows, as an array for unnest.
func column[R, T any](rows []R, f func(*R) T) []T {
	out := make([]T, len(rows))
	for i := range rows {
		out[i] = f(&rows[i])
	}
	return out
}

// blob is a bytea argument; empty is NULL.
func blob(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// texts, blobs, numbers, flags and times are columns of these types.
func texts[R any](rows []R, f func(*R) string) []string {
	return column(rows, func(r *R) string { return store.Text(f(r)) })
}
func blobs[R any](rows []R, f func(*R) []byte) [][]byte {
	return column(rows, func(r *R) []byte { return blob(f(r)) })
}
func numbers[R any](rows []R, f func(*R) int) []int32 {
	return column(rows, func(r *R) int32 { return int32(f(r)) })
}
func flags[R any](rows []R, f func(*R) bool) []bool { return column(rows, f) }
func times[R any](rows []R, f func(*R) time.Time) []int64 {
	return column(rows, func(r *R) int64 { return store.Micros(f(r)) })
}

// bindVerifications gives the arguments of insertVerifications.
func bindVerifications(rows []verify.Verification) ([]any, error) {
	type V = verify.Verification
	settings := make([]string, len(rows))
	for i := range rows {
		var err error
		if settings[i], err = store.EncodeSettings(rows[i].Settings); err != nil {
			return nil, err
		}
	}
	return []any{
		texts(rows, func(v *V) string { return v.ID }), texts(rows, func(v *V) string { return v.Account }),
		texts(rows, func(v *V) string { return v.Service }), texts(rows, func(v *V) string { return v.Purpose }),
		blobs(rows, func(v *V) []byte { return v.NumberIndex }), blobs(rows, func(v *V) []byte { return v.NumberSealed }),
		texts(rows, func(v *V) string { return v.Country }), texts(rows, func(v *V) string { return v.Prefix }),
		texts(rows, func(v *V) string { return v.LimitKey }), blobs(rows, func(v *V) []byte { return v.Binding }),
		blobs(rows, func(v *V) []byte { return v.Order }), texts(rows, func(v *V) string { return v.KeyID }),
		blobs(rows, func(v *V) []byte { return v.CodeMAC }), times(rows, func(v *V) time.Time { return v.CreatedAt }), settings,
		texts(rows, func(v *V) string { return string(v.Status) }), texts(rows, func(v *V) string { return v.Reason }),
		blobs(rows, func(v *V) []byte { return v.Sealed }), blobs(rows, func(v *V) []byte { return v.TokenHash }),
		numbers(rows, func(v *V) int { return v.Guesses }), numbers(rows, func(v *V) int { return v.Sends }),
		numbers(rows, func(v *V) int { return v.Step }), times(rows, func(v *V) time.Time { return v.ExpiresAt }),
		times(rows, func(v *V) time.Time { return v.EndedAt }), blobs(rows, func(v *V) []byte { return v.Context }),
	}, nil
}

// bindCounts gives the arguments of countVerifications.
func bindCounts(rows []verify.Verification) []any {
	type V = verify.Verification
	return []any{
		texts(rows, func(v *V) string { return v.ID }), numbers(rows, func(v *V) int { return v.Guesses }),
		numbers(rows, func(v *V) int { return v.Sends }), numbers(rows, func(v *V) int { return v.Step }),
	}
}

// bindQueued gives the arguments of queueAttempts.
func bindQueued(rows []verify.Attempt) []any {
	type A = verify.Attempt
	return []any{
		texts(rows, func(a *A) string { return a.ID }), texts(rows, func(a *A) string { return a.Verification }),
		texts(rows, func(a *A) string { return a.Account }), numbers(rows, func(a *A) int { return a.N }),
		numbers(rows, func(a *A) int { return a.Send }), numbers(rows, func(a *A) int { return a.Step }),
		texts(rows, func(a *A) string { return string(a.Channel) }), times(rows, func(a *A) time.Time { return a.CreatedAt }),
	}
}

// bindEnds gives the arguments of endVerifications.
func bindEnds(rows []verify.Verification) []any {
	type V = verify.Verification
	return append(bindCounts(rows),
		texts(rows, func(v *V) string { return string(v.Status) }), texts(rows, func(v *V) string { return v.Reason }),
		blobs(rows, func(v *V) []byte { return v.Sealed }), blobs(rows, func(v *V) []byte { return v.TokenHash }),
		times(rows, func(v *V) time.Time { return v.EndedAt }))
}

// bindDialled gives the arguments of dialAttempts.
func bindDialled(rows []verify.Attempt) []any {
	type A = verify.Attempt
	return []any{
		texts(rows, func(a *A) string { return a.ID }), texts(rows, func(a *A) string { return a.Route }),
		texts(rows, func(a *A) string { return string(a.State) }), texts(rows, func(a *A) string { return string(a.Gate) }),
		flags(rows, func(a *A) bool { return a.Ungated }), blobs(rows, func(a *A) []byte { return a.Screen }),
		times(rows, func(a *A) time.Time { return a.DialledAt }),
	}
}

// bindDelivered gives the arguments of deliverAttempts.
func bindDelivered(rows []verify.Attempt) []any {
	type A = verify.Attempt
	return []any{
		texts(rows, func(a *A) string { return a.ID }), texts(rows, func(a *A) string { return a.Route }),
		texts(rows, func(a *A) string { return string(a.State) }), texts(rows, func(a *A) string { return a.Ref }),
		texts(rows, func(a *A) string { return string(a.Outcome) }), texts(rows, func(a *A) string { return a.Reason }),
		flags(rows, func(a *A) bool { return a.MayHaveRung }), texts(rows, func(a *A) string { return string(a.Fault) }),
		flags(rows, func(a *A) bool { return a.Permanent }), texts(rows, func(a *A) string { return string(a.Gate) }),
		flags(rows, func(a *A) bool { return a.Ungated }), blobs(rows, func(a *A) []byte { return a.Screen }),
		flags(rows, func(a *A) bool { return a.GatePassed }), numbers(rows, func(a *A) int { return a.Readouts }),
		texts(rows, func(a *A) string { return a.Stop }), times(rows, func(a *A) time.Time { return a.DialledAt }),
		times(rows, func(a *A) time.Time { return a.AnsweredAt }), times(rows, func(a *A) time.Time { return a.EndedAt }),
		times(rows, func(a *A) time.Time { return a.RungAt }), times(rows, func(a *A) time.Time { return a.GateAt }),
	}
}

// bindAttempts gives the arguments of insertAttempts.
func bindAttempts(rows []verify.Attempt) []any {
	type A = verify.Attempt
	return []any{
		texts(rows, func(a *A) string { return a.ID }), texts(rows, func(a *A) string { return a.Verification }),
		texts(rows, func(a *A) string { return a.Account }), numbers(rows, func(a *A) int { return a.N }),
		numbers(rows, func(a *A) int { return a.Send }), numbers(rows, func(a *A) int { return a.Step }),
		texts(rows, func(a *A) string { return string(a.Channel) }), texts(rows, func(a *A) string { return a.Route }),
		texts(rows, func(a *A) string { return string(a.State) }), texts(rows, func(a *A) string { return a.Ref }),
		texts(rows, func(a *A) string { return string(a.Outcome) }), texts(rows, func(a *A) string { return a.Reason }),
		flags(rows, func(a *A) bool { return a.MayHaveRung }), texts(rows, func(a *A) string { return string(a.Fault) }),
		flags(rows, func(a *A) bool { return a.Permanent }), texts(rows, func(a *A) string { return string(a.Gate) }),
		flags(rows, func(a *A) bool { return a.Ungated }), blobs(rows, func(a *A) []byte { return a.Screen }),
		flags(rows, func(a *A) bool { return a.GatePassed }), numbers(rows, func(a *A) int { return a.Readouts }),
		texts(rows, func(a *A) string { return a.Stop }), times(rows, func(a *A) time.Time { return a.CreatedAt }),
		times(rows, func(a *A) time.Time { return a.DialledAt }), times(rows, func(a *A) time.Time { return a.AnsweredAt }),
		times(rows, func(a *A) time.Time { return a.EndedAt }), times(rows, func(a *A) time.Time { return a.RungAt }),
		times(rows, func(a *A) time.Time { return a.GateAt }),
	}
}
