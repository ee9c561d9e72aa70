package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/verify"
)

const (
	// Ids are time-ordered, so the oldest come first in the index; where those have
	// not been finished for long, none has. Several nodes may do this at once: each
	// takes what no other has in hand.
	retire = `WITH old AS MATERIALIZED (
			SELECT id, account, service, country, status, sends, guesses, created_at FROM verifications
			WHERE id IN (SELECT id FROM verifications ORDER BY id LIMIT $3)
			AND status <> 'pending' AND ended_at > 0 AND ended_at <= ` + now + ` - $2::bigint ORDER BY id FOR UPDATE SKIP LOCKED),
		last AS (SELECT DISTINCT ON (verification) verification, channel, outcome FROM attempts
			WHERE verification IN (SELECT id FROM old) ORDER BY verification, n DESC),
		attempts_gone AS (DELETE FROM attempts WHERE verification IN (SELECT id FROM old)),
		gone AS (DELETE FROM verifications WHERE id IN (SELECT id FROM old)),
		counted AS (INSERT INTO statistics AS s (account, day, service, country, channel, status, outcome, sends, guesses, n)
			SELECT account, to_char(to_timestamp(created_at / 1000000) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), service, country,
				coalesce(channel, ''), status, coalesce(outcome, ''), sum(sends), sum(guesses), count(*)
			FROM old LEFT JOIN last ON last.verification = old.id GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 2, 3, 4, 5, 6, 7
			ON CONFLICT (account, day, service, country, channel, status, outcome)
			DO UPDATE SET sends = s.sends + excluded.sends, guesses = s.guesses + excluded.guesses, n = s.n + excluded.n)
		SELECT count(*) FROM old`
	selectStatistics = `SELECT account, day, service, country, channel, status, outcome, sends, guesses, n FROM statistics
		WHERE account = $1 AND day BETWEEN $2 AND $3 ORDER BY day, service, country, channel, status, outcome LIMIT $4`
)

// Retire reduces verifications that have been finished for long to counts. Rows
// and counts change together.
func (s *Store) Retire(ctx context.Context, age time.Duration, n int) (retired int, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		return each(rows, func() error { return rows.Scan(&retired) })
	}, retire, s.at(), age.Microseconds(), n)
	if err != nil {
		return 0, fmt.Errorf("retire verifications: %w", err)
	}
	return retired, nil
}

// Statistics gives counts of an account.
func (s *Store) Statistics(ctx context.Context, account string, days verify.Days, n int) ([]verify.Count, error) {
	out, err := list(ctx, s, func(rows pgx.Rows) (c verify.Count, err error) {
		err = rows.Scan(&c.Account, &c.Day, &c.Service, &c.Country, &c.Channel, (*string)(&c.Status), &c.Outcome, &c.Sends, &c.Guesses, &c.N)
		return c, err
	}, selectStatistics, account, days.From, days.To, n)
	if err != nil {
		return nil, fmt.Errorf("read the statistics: %w", err)
	}
	return out, nil
}
