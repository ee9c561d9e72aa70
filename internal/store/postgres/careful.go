package postgres

import (
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pincall/pincall/internal/jobs"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// flushCarefully queues what a careful group writes: it says of each statement how
// many rows it must change, and COMMIT is sent after that was seen. Rows that were
// not read may be there, and are replaced.
func (o overlay) flushCarefully(b *pgx.Batch, at *int64, h *handover) error {
	if err := o.replaceVerifications(b); err != nil {
		return err
	}
	if len(o.Written) > 0 {
		rows := make([]verify.Attempt, 0, len(o.Written))
		for _, id := range store.Sorted(o.Written) {
			rows = append(rows, o.Written[id].Attempt)
		}
		b.Queue(upsertAttempts, bindAttempts(rows)...).Exec(exactly(len(rows), store.ErrForeign))
	}
	set, insert := o.dirtyLimits()
	queueSome(b, setLimits, set, bindLimits)
	queueSome(b, tryLimits, insert, bindLimits).Exec(exactly(len(insert), errRace))
	setKept, insertKept := o.dirtyOnce()
	queueSome(b, setOnce, setKept, bindOnce)
	queueSome(b, tryOnce, insertKept, bindOnce).Exec(exactly(len(insertKept), errRace))
	o.flushJobs(b, at, h)
	if len(o.Finished) > 0 {
		rows := bindLeases(slices.Collect(maps.Values(o.Finished)))
		b.Queue(finishJobs, rows...).Exec(exactly(len(o.Finished), jobs.ErrLeaseLost))
	}
	return nil
}

func (o overlay) replaceVerifications(b *pgx.Batch) error {
	var whole, counts []verify.Verification
	for _, id := range store.Sorted(o.Verifications) {
		switch h := o.Verifications[id]; {
		case !h.Dirty:
		case h.Stored != nil && store.ChangeOf(h.Stored, h.Verification) == store.Counts:
			counts = append(counts, *h.Verification)
		default:
			whole = append(whole, *h.Verification)
		}
	}
	if len(whole) > 0 {
		args, err := bindVerifications(whole)
		if err != nil {
			return err
		}
		b.Queue(upsertVerifications, args...).Exec(exactly(len(whole), store.ErrForeign))
	}
	queueSome(b, countVerifications, counts, bindCounts).Exec(exactly(len(counts), errRace))
	return nil
}
