package verify

import "context"

// Cancel ends a pending verification; its call is hung up.
func (c *Core) Cancel(ctx context.Context, who Caller, id string, once Once[View]) (Answer[View], error) {
	if !who.mayTouch(id) {
		return Answer[View]{}, absent()
	}
	need := Need{Account: who.Account, Verification: id, Limits: []string{accountKey(who.Account)}}
	return do(ctx, c, once, need, func(s State) (Writes, View, error) {
		v, err := pending(s)
		if err != nil {
			return Writes{}, View{}, err
		}
		d := c.draft(s, v.Account)
		d.end(Group{v, s.Attempts}, Canceled, ReasonAsked)
		w := d.writes()
		return w, c.kept(who, s.with(w)), nil
	})
}

// with gives the state as it is after the writes, as far as a view shows it.
func (s State) with(w Writes) State {
	for _, v := range w.Verifications {
		if s.Verification != nil && v.ID == s.Verification.ID {
			s.Verification = &v
		}
	}
	have := append([]Attempt(nil), s.Attempts...)
	for _, a := range w.Attempts {
		if s.Verification != nil && a.Verification == s.Verification.ID {
			have = merged(have, a)
		}
	}
	s.Attempts = have
	return s
}

func merged(have []Attempt, a Attempt) []Attempt {
	for i := range have {
		if have[i].ID == a.ID {
			have[i] = a
			return have
		}
	}
	return append(have, a)
}
