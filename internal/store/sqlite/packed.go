package sqlite

import (
	"encoding/binary"
	"time"

	"github.com/pincall/pincall/internal/guard"
	"github.com/pincall/pincall/internal/outcome"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/store"
	"github.com/pincall/pincall/internal/verify"
)

// packer writes what is kept on a shelf, and reads it. The form is that of one
// packer: what is the same in nearly all entries is a number in them. It keeps that
// as long as there are entries: see recent.empty.
type packer struct {
	numbers  map[string]uint64
	texts    []string
	settings store.SettingsCache
	b        []byte
}

// maxTexts bounds what has a number; beyond, it is written out.
const maxTexts = 4096

// shared writes a text that many entries have.
func (p *packer) shared(s string) {
	n, ok := p.numbers[s]
	if !ok && len(p.texts) < maxTexts {
		if p.numbers == nil {
			p.numbers = make(map[string]uint64)
		}
		p.texts = append(p.texts, s)
		n, ok = uint64(len(p.texts)), true
		p.numbers[s] = n
	}
	p.b = binary.AppendUvarint(p.b, n)
	if !ok {
		p.text(s)
	}
}

func (p *packer) text(s string) { p.b = append(binary.AppendUvarint(p.b, uint64(len(s))), s...) }

func (p *packer) words(all ...string) {
	for _, s := range all {
		p.text(s)
	}
}

func (p *packer) bytes(all ...[]byte) {
	for _, b := range all {
		p.b = append(binary.AppendUvarint(p.b, uint64(len(b))), b...)
	}
}

func (p *packer) ints(all ...int) {
	for _, n := range all {
		p.b = binary.AppendVarint(p.b, int64(n))
	}
}

func (p *packer) times(all ...time.Time) {
	for _, t := range all {
		p.b = binary.AppendVarint(p.b, store.Micros(t))
	}
}

func (p *packer) flags(all ...bool) {
	bits := byte(0)
	for i, f := range all {
		if f {
			bits |= 1 << i
		}
	}
	p.b = append(p.b, bits)
}

// pack gives a verification with its attempts, until the next one; nil: it cannot
// be packed.
func (p *packer) pack(k known) []byte {
	v := k.v
	settings, err := p.settings.Encode(v.Settings)
	if err != nil {
		return nil
	}
	p.b = binary.AppendVarint(p.b[:0], k.n)
	for _, s := range [...]string{v.Account, v.Service, v.Country, string(v.Status), v.Reason, v.KeyID, settings} {
		p.shared(s)
	}
	p.words(v.ID, v.Prefix, v.LimitKey, v.Purpose)
	p.bytes(v.NumberIndex, v.NumberSealed, v.Binding, v.Order, v.CodeMAC, v.Sealed, v.TokenHash, v.Context)
	p.ints(v.Guesses, v.Sends, v.Step)
	p.times(v.CreatedAt, v.ExpiresAt, v.EndedAt)
	p.ints(len(k.attempts))
	for i := range k.attempts {
		a := &k.attempts[i]
		for _, s := range [...]string{string(a.Channel), a.Route, string(a.State), string(a.Outcome), a.Reason, string(a.Fault), string(a.Gate), a.Stop} {
			p.shared(s)
		}
		p.words(a.ID, a.Ref)
		p.bytes(a.Screen)
		p.ints(a.N, a.Send, a.Step, a.Readouts)
		p.flags(a.MayHaveRung, a.Permanent, a.Ungated, a.GatePassed)
		p.times(a.CreatedAt, a.DialledAt, a.RungAt, a.AnsweredAt, a.GateAt, a.EndedAt)
	}
	return p.b
}

// unpack reads what pack gave.
func (p *packer) unpack(body []byte) (known, bool) {
	r := unpacker{p: p, text: string(body), b: append([]byte(nil), body...)}
	v := &verify.Verification{}
	k := known{v: v, n: r.varint()}
	v.Account, v.Service, v.Country, v.Status, v.Reason, v.KeyID =
		r.shared(), r.shared(), r.shared(), verify.Status(r.shared()), r.shared(), r.shared()
	settings, err := p.settings.Decode(r.shared())
	v.Settings = settings
	v.ID, v.Prefix, v.LimitKey, v.Purpose = r.string(), r.string(), r.string(), r.string()
	v.NumberIndex, v.NumberSealed, v.Binding, v.Order = r.bytes(), r.bytes(), r.bytes(), r.bytes()
	v.CodeMAC, v.Sealed, v.TokenHash, v.Context = r.bytes(), r.bytes(), r.bytes(), r.bytes()
	v.Guesses, v.Sends, v.Step = r.int(), r.int(), r.int()
	v.CreatedAt, v.ExpiresAt, v.EndedAt = r.time(), r.time(), r.time()
	if n := r.int(); n > 0 {
		k.attempts = make([]verify.Attempt, n)
	}
	for i := range k.attempts {
		a := &k.attempts[i]
		a.Verification, a.Account = v.ID, v.Account
		a.Channel, a.Route, a.State, a.Outcome = phone.Channel(r.shared()), r.shared(), verify.AttemptState(r.shared()), outcome.Outcome(r.shared())
		a.Reason, a.Fault, a.Gate, a.Stop = r.shared(), outcome.Fault(r.shared()), script.Gate(r.shared()), r.shared()
		a.ID, a.Ref = r.string(), r.string()
		a.Screen = r.bytes()
		a.N, a.Send, a.Step, a.Readouts = r.int(), r.int(), r.int(), r.int()
		bits := r.byte()
		a.MayHaveRung, a.Permanent, a.Ungated, a.GatePassed = bits&1 > 0, bits&2 > 0, bits&4 > 0, bits&8 > 0
		a.CreatedAt, a.DialledAt, a.RungAt = r.time(), r.time(), r.time()
		a.AnsweredAt, a.GateAt, a.EndedAt = r.time(), r.time(), r.time()
	}
	return k, err == nil
}

// packLimit gives a row of counters, until the next one.
func (p *packer) packLimit(l *store.Limit) []byte {
	p.b = p.b[:0]
	for _, n := range [...]int64{l.Number, l.KeptUntil, l.Keep} {
		p.b = binary.AppendVarint(p.b, n)
	}
	p.b = append(p.b, l.Row.Encode()...)
	return p.b
}

// unpackLimit reads what packLimit gave.
func (p *packer) unpackLimit(body []byte) (*store.Limit, bool) {
	r := unpacker{b: body}
	l := &store.Limit{Found: true, Stored: true, Number: r.varint(), KeptUntil: r.varint(), Keep: r.varint()}
	var err error
	l.Row, err = guard.DecodeRow(r.b[r.at:])
	return l, err == nil
}

// unpacker reads an entry from left to right.
type unpacker struct {
	p    *packer
	text string // all of it, which the texts are pieces of
	b    []byte // all of it, which the bytes are pieces of
	at   int
}

func (r *unpacker) varint() int64 {
	n, size := binary.Varint(r.b[r.at:])
	r.at += size
	return n
}

func (r *unpacker) int() int        { return int(r.varint()) }
func (r *unpacker) time() time.Time { return store.Time(r.varint()) }

func (r *unpacker) byte() byte {
	r.at++
	return r.b[r.at-1]
}

// next gives where the next piece stands.
func (r *unpacker) next() (from, to int) {
	n, size := binary.Uvarint(r.b[r.at:])
	from = r.at + size
	r.at = from + int(n)
	return from, r.at
}

func (r *unpacker) string() string {
	from, to := r.next()
	return r.text[from:to]
}

func (r *unpacker) shared() string {
	n, size := binary.Uvarint(r.b[r.at:])
	r.at += size
	if n == 0 {
		return r.string()
	}
	return r.p.texts[n-1]
}

// bytes gives a piece; an empty one is nil.
func (r *unpacker) bytes() []byte {
	from, to := r.next()
	if from == to {
		return nil
	}
	return r.b[from:to:to]
}
