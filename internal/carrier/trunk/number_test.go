package trunk

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pincall/pincall/internal/phone"
)

func TestDial(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		n        Numbering
		to, want string
	}{
		"plus":                {Numbering{}, "+819012345678", "+819012345678"},
		"digits":              {Numbering{Format: E164}, "+819012345678", "819012345678"},
		"Japan":               {Numbering{Format: National}, "+819012345678", "09012345678"},
		"Britain":             {Numbering{Format: National}, "+447911123456", "07911123456"},
		"America":             {Numbering{Format: National}, "+14155550100", "4155550100"},
		"Italy keeps its 0":   {Numbering{Format: National}, "+390612345678", "0612345678"},
		"tech prefix":         {Numbering{Format: E164, Prefix: "1234#"}, "+819012345678", "1234#819012345678"},
		"strip and prefix":    {Numbering{Strip: "+", Prefix: "00"}, "+819012345678", "00819012345678"},
		"strip what is there": {Numbering{Strip: "+1"}, "+819012345678", "+819012345678"},
	} {
		n, err := phone.Parse(c.to)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.n.dial(n); got != c.want {
			t.Errorf("%s: a number is not written as it should be", name)
		}
	}
}

func TestNumberingIsChecked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		n         Numbering
		countries []string
		ok        bool
	}{
		"default":                   {Numbering{}, nil, true},
		"national of one country":   {Numbering{Format: National}, []string{"JP"}, true},
		"national of every country": {Numbering{Format: National}, nil, false},
		"national of two":           {Numbering{Format: National}, []string{"JP", "US"}, false},
		"no such format":            {Numbering{Format: "x"}, nil, false},
		"a letter":                  {Numbering{Prefix: "a"}, nil, false},
	} {
		if err := c.n.check(c.countries); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []CallerID{{Number: ""}, {Number: "+"}, {Number: "x"}, {Number: "1", Countries: []string{"Japan"}}} {
		if _, err := newCallerIDs([]CallerID{id}); err == nil {
			t.Errorf("%+v is a caller ID", id)
		}
	}
}

func TestWhoCallsWithoutCallerIDs(t *testing.T) {
	t.Parallel()
	ids, err := newCallerIDs(nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := ids.pick("JP"); !ok || got != anonymous {
		t.Errorf("%q", got)
	}
	ids.fallback = "user"
	if got, ok := ids.pick("JP"); !ok || got != "user" {
		t.Errorf("%q", got)
	}
}

func TestPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, began := newPace(2), time.Now()
		for i := range 3 {
			if err := p.wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if at := time.Since(began); at != time.Duration(i)*500*time.Millisecond {
				t.Errorf("start %d at %s", i, at)
			}
		}
		late := make(chan error, 10)
		for range 10 {
			go func() { late <- p.wait(t.Context()) }()
		}
		refused := 0
		for range 10 {
			if errors.Is(<-late, errTooFast) {
				refused++
			}
		}
		if refused != 6 { // four fit into two seconds
			t.Errorf("%d of 10 were refused", refused)
		}
		time.Sleep(time.Minute) // time that was not used is no credit
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := p.wait(ctx); err != nil {
			t.Error(err)
		}
		if err := p.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the context's error", err)
		}
	})
}
