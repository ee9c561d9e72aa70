package guard

import (
	"encoding/binary"
	"errors"
	"time"
)

// slotsPerWindow is how finely a window is cut. Use counts until its whole slot
// has left the window, so a limit is never exceeded in any stretch of the
// window's length, and is given back at most a tenth of it late.
const slotsPerWindow = 10

// Window counts uses over a sliding time. The zero value is empty.
type Window struct {
	slots []slot // oldest first, at most slotsPerWindow+1
}

type slot struct {
	at int64 // slot number: unix time in units of length/slotsPerWindow
	n  int64
}

func unit(length time.Duration) int64 { return max(int64(length)/slotsPerWindow, 1) }

// Used is what counts at now over the given length.
func (w Window) Used(now time.Time, length time.Duration) int64 {
	var sum int64
	first := now.UnixNano()/unit(length) - slotsPerWindow
	for _, s := range w.slots {
		if s.at >= first {
			sum += s.n
		}
	}
	return sum
}

// Add counts n more uses and forgets the slots that have left the window.
func (w Window) Add(now time.Time, length time.Duration, n int64) Window {
	current := now.UnixNano() / unit(length)
	kept := make([]slot, 0, len(w.slots)+1)
	for _, s := range w.slots {
		if s.at >= current-slotsPerWindow {
			kept = append(kept, s)
		}
	}
	if last := len(kept) - 1; last >= 0 && kept[last].at >= current {
		kept[last].n += n
		return Window{slots: kept}
	}
	return Window{slots: append(kept, slot{at: current, n: n})}
}

// FreeIn is how long until fewer than limit uses count; zero when that is so now.
func (w Window) FreeIn(now time.Time, length time.Duration, limit int64) time.Duration {
	used := w.Used(now, length)
	u := unit(length)
	first := now.UnixNano()/u - slotsPerWindow
	for _, s := range w.slots {
		if used < limit {
			break
		}
		if s.at < first {
			continue
		}
		used -= s.n
		if used < limit {
			return time.Unix(0, (s.at+slotsPerWindow+1)*u).Sub(now)
		}
	}
	return 0
}

// Row is what is counted about one subject: a number at a service, or an
// account. The zero value is an empty row.
type Row struct {
	Windows map[Rule]Window
	// Open is the number of calls that are queued or in progress.
	Open int64
	// Blocked says that the person at this number reported the service.
	Blocked bool
}

// own gives a copy of the row whose map is its own.
func (r Row) own() Row {
	m := make(map[Rule]Window, len(r.Windows)+2)
	for rule, w := range r.Windows {
		m[rule] = w
	}
	r.Windows = m
	return r
}

// with gives a copy of the row in which one window is replaced.
func (r Row) with(rule Rule, w Window) Row {
	r = r.own()
	r.Windows[rule] = w
	return r
}

const rowVersion = 1

// errRow says that stored bytes are no row.
var errRow = errors.New("guard: a stored row cannot be read")

// Encode gives the row's stored form: version, flags, open, then per rule its
// code, the number of slots and their pairs, all as varints.
func (r Row) Encode() []byte {
	b := []byte{rowVersion, 0}
	if r.Blocked {
		b[1] = 1
	}
	b = binary.AppendVarint(b, r.Open)
	for code, rule := range storedRules {
		w, ok := r.Windows[rule]
		if !ok || len(w.slots) == 0 {
			continue
		}
		b = append(b, byte(code), byte(len(w.slots)))
		for _, s := range w.slots {
			b = binary.AppendVarint(binary.AppendVarint(b, s.at), s.n)
		}
	}
	return b
}

// DecodeRow reads Encode's form. Empty bytes are an empty row.
func DecodeRow(b []byte) (Row, error) {
	if len(b) == 0 {
		return Row{}, nil
	}
	if len(b) < 3 || b[0] != rowVersion {
		return Row{}, errRow
	}
	d := decoder{b: b[2:]}
	r := Row{Blocked: b[1]&1 == 1, Open: d.varint(), Windows: map[Rule]Window{}}
	for len(d.b) > 0 && !d.bad {
		code, n := d.byte(), d.byte()
		if int(code) >= len(storedRules) || n > slotsPerWindow+1 {
			return Row{}, errRow
		}
		w := Window{slots: make([]slot, 0, n)}
		for range n {
			w.slots = append(w.slots, slot{at: d.varint(), n: d.varint()})
		}
		r.Windows[storedRules[code]] = w
	}
	if d.bad {
		return Row{}, errRow
	}
	return r, nil
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}
