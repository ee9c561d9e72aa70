package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

const (
	// What is there already is not written again, however often it is asked for.
	leaveHint = `INSERT INTO hints (node, attempt) SELECT node, subject FROM jobs WHERE subject = $1 AND node IS NOT NULL
		ON CONFLICT DO NOTHING`
	takeHints   = `DELETE FROM hints WHERE node = $1 RETURNING attempt`
	forgetHints = `DELETE FROM hints WHERE NOT EXISTS (SELECT FROM nodes WHERE nodes.id = hints.node)`
)

// Hint leaves word for the node that holds the job of a subject.
func (s *Store) Hint(ctx context.Context, subject string) error {
	if _, err := s.exec(ctx, leaveHint, subject); err != nil {
		return fmt.Errorf("leave a hint: %w", err)
	}
	return nil
}

// Hinted takes the word that was left for a node.
func (s *Store) Hinted(ctx context.Context, node string) (subjects []string, err error) {
	err = s.query(ctx, func(rows pgx.Rows) (err error) {
		subjects, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	}, takeHints, node)
	if err != nil {
		return nil, fmt.Errorf("take the hints: %w", err)
	}
	return subjects, nil
}
