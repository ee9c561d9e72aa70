package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/pincall/pincall/internal/verify"
)

const (
	// The oldest rows come first in the table, so that no index is needed: where
	// those have not been finished for long, none has.
	selectRetired = `SELECT n, id, account, service, country, status, sends, guesses, created_at
		FROM (SELECT * FROM verifications ORDER BY n LIMIT ?) WHERE status <> 'pending' AND ended_at > 0 AND ended_at <= ?`
	selectLastAttempt = `SELECT channel, outcome FROM attempts WHERE ` + ofFirst + ` ORDER BY row DESC LIMIT 1`

	// secure_delete clears what a deletion frees, but not the copies that are left
	// in a page when its rows are moved to make room or to fill a neighbour. So
	// rows are overwritten where they stand (values of the same length stay in
	// place) before the first of them is deleted.
	overwrite = `UPDATE verifications SET number_index = zeroblob(length(number_index)),
		number_sealed = zeroblob(length(number_sealed)), binding = zeroblob(length(binding)),
		order_key = zeroblob(length(order_key)), code_mac = zeroblob(length(code_mac)), context = zeroblob(length(context)),
		limit_key = substr(hex(zeroblob(64)), 1, length(limit_key)), prefix = substr('000000', 1, length(prefix)),
		purpose = substr(hex(zeroblob(64)), 1, length(purpose)) WHERE id = ?`
	deleteVerification = `DELETE FROM verifications WHERE id = ?`
	deleteAttempts     = `DELETE FROM attempts WHERE ` + ofFirst

	addStatistics = `INSERT INTO statistics (account, day, service, country, channel, status, outcome, sends, guesses, n)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET sends = sends + excluded.sends,
		guesses = guesses + excluded.guesses, n = n + excluded.n`
	selectStatistics = `SELECT account, day, service, country, channel, status, outcome, sends, guesses, n FROM statistics
		WHERE account = ? AND day BETWEEN ? AND ? ORDER BY day, service, country, channel, status, outcome LIMIT ?`
)

// Retire reduces verifications that have been finished for long to counts. Rows
// and counts change together.
func (s *Store) Retire(ctx context.Context, age time.Duration, n int) (int, error) {
	var retired int
	err := s.change(ctx, elsewhere, func(t *tx) error {
		ids, counts, err := t.retired(t.now-age.Microseconds(), n)
		if err != nil {
			return err
		}
		retired = len(ids)
		for _, id := range ids {
			if _, err := t.exec(overwrite, id); err != nil {
				return err
			}
		}
		for _, id := range ids {
			if _, err := t.exec(deleteAttempts, id); err != nil {
				return err
			}
			if _, err := t.exec(deleteVerification, id); err != nil {
				return err
			}
		}
		t.recent.drop(ids)
		for k, c := range counts {
			_, err := t.exec(addStatistics, k.Account, k.Day, k.Service, k.Country, k.Channel, string(k.Status), k.Outcome,
				c.Sends, c.Guesses, c.N)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("retire verifications: %w", err)
	}
	return retired, nil
}

// retired finds what may be reduced among the n oldest, and sums it up; the keys
// have no sums.
func (t *tx) retired(before int64, n int) ([]string, map[verify.Count]verify.Count, error) {
	var ids []string
	var each []verify.Count
	err := t.query(selectRetired, func(r *row) error {
		r.int64()
		ids = append(ids, r.text())
		each = append(each, verify.Count{
			Account: r.text(), Service: r.text(), Country: r.text(), Status: verify.Status(r.text()), Sends: r.int64(),
			Guesses: r.int64(), Day: r.time().Format(time.DateOnly),
		})
		return nil
	}, int64(n), before)
	if err != nil {
		return nil, nil, err
	}
	sums := make(map[verify.Count]verify.Count)
	for i, k := range each {
		err := t.query(selectLastAttempt, func(r *row) error {
			k.Channel, k.Outcome = r.text(), r.text()
			return nil
		}, ids[i])
		if err != nil {
			return nil, nil, err
		}
		sends, guesses := k.Sends, k.Guesses
		k.Sends, k.Guesses = 0, 0
		sum := sums[k]
		sum.Sends, sum.Guesses, sum.N = sum.Sends+sends, sum.Guesses+guesses, sum.N+1
		sums[k] = sum
	}
	return ids, sums, nil
}

// Statistics gives counts of an account.
func (s *Store) Statistics(ctx context.Context, account string, days verify.Days, n int) ([]verify.Count, error) {
	var out []verify.Count
	err := s.read(ctx, func(c *conn) error {
		return c.query(selectStatistics, func(r *row) error {
			out = append(out, verify.Count{
				Account: r.text(), Day: r.text(), Service: r.text(), Country: r.text(), Channel: r.text(),
				Status: verify.Status(r.text()), Outcome: r.text(), Sends: r.int64(), Guesses: r.int64(), N: r.int64(),
			})
			return nil
		}, account, days.From, days.To, int64(n))
	})
	if err != nil {
		return nil, fmt.Errorf("read the statistics: %w", err)
	}
	return out, nil
}
