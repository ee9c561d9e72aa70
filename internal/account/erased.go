package account

import "context"

// PersonErased is the action of removing a person: its target is empty, for who
// it was must not be on record.
const PersonErased Action = "person.erased"

// Erased notes that a person was removed, with so many verifications.
func (c Clerk) Erased(ctx context.Context, verifications int) error {
	return c.change(ctx, "note an erasure", Change{Plan: func(h Held) (Writes, error) {
		if h.Account == nil {
			return Writes{}, ErrNotFound
		}
		e := c.entry(h, PersonErased, "")
		e.After = record(struct {
			Verifications int `json:"verifications"`
		}{verifications})
		return Writes{Entry: e}, nil
	}})
}
