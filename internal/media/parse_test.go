package media

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestParseRTP(t *testing.T) {
	t.Parallel()
	h := header{mark: true, payload: 101, seq: 65535, ts: 1 << 31, ssrc: 0xdeadbeef}
	plain := make([]byte, rtpHeader)
	h.put(plain)
	with := func(first byte, rest ...byte) []byte {
		data := append(append([]byte(nil), plain...), rest...)
		data[0] = first
		return data
	}
	for _, c := range []struct {
		name string
		data []byte
		want []byte
		ok   bool
	}{
		{"plain", with(0x80, 1, 2), []byte{1, 2}, true},
		{"nothing in it", with(0x80), nil, true},
		{"two CSRCs", with(0x82, 0, 0, 0, 1, 0, 0, 0, 2, 7), []byte{7}, true},
		{"extension", with(0x90, 0xbe, 0xde, 0, 1, 9, 9, 9, 9, 7), []byte{7}, true},
		{"padding", with(0xa0, 7, 0, 0, 3), []byte{7}, true},
		{"all of it", with(0xb1, 0, 0, 0, 1, 0, 0, 0, 0, 7, 0, 2), []byte{7}, true},
		{"version 1", with(0x40, 1), nil, false},
		{"short", plain[:11], nil, false},
		{"CSRCs missing", with(0x8f, 1), nil, false},
		{"extension missing", with(0x90, 0, 0), nil, false},
		{"extension too long", with(0x90, 0, 0, 0, 9), nil, false},
		{"padding of nothing", with(0xa0, 0), nil, false},
		{"padding too long", with(0xa0, 1, 9), nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, payload, ok := parseRTP(c.data)
			if ok != c.ok {
				t.Fatalf("ok %v", ok)
			}
			if diff := cmp.Diff(c.want, payload, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
			if ok && got != h {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestPresses(t *testing.T) {
	t.Parallel()
	type came struct {
		ms   int // since the first
		h    header
		e    event
		want byte
	}
	at := func(ts uint32, mark bool) header { return header{ts: ts, mark: mark} }
	for name, packets := range map[string][]came{
		"one press, its end thrice": {
			{0, at(1000, true), event{5, false, 160}, '5'}, {20, at(1000, false), event{5, false, 320}, 0},
			{40, at(1000, false), event{5, true, 480}, 0}, {60, at(1000, false), event{5, true, 480}, 0},
			{80, at(1000, false), event{5, true, 480}, 0},
		},
		"only an end arrives":    {{0, at(1000, false), event{11, true, 480}, '#'}, {20, at(1000, false), event{11, true, 480}, 0}},
		"the same key twice":     {{0, at(1000, true), event{5, true, 480}, '5'}, {300, at(4000, true), event{5, false, 160}, '5'}},
		"twice, no marks":        {{0, at(1000, false), event{5, true, 480}, '5'}, {100, at(1800, false), event{5, false, 160}, '5'}},
		"ends lost, then again":  {{0, at(1000, true), event{5, false, 480}, '5'}, {400, at(4000, false), event{5, false, 160}, '5'}},
		"another key at once":    {{0, at(1000, true), event{5, false, 480}, '5'}, {50, at(1400, false), event{6, false, 160}, '6'}},
		"late repeats of an end": {{0, at(1000, true), event{1, true, 480}, '1'}, {60, at(1480, true), event{2, false, 160}, '2'}, {61, at(1000, false), event{1, true, 480}, 0}},
		"a long press in segments": {
			{0, at(0, true), event{10, false, 0xffff}, '*'}, {20, at(0xffff, false), event{10, false, 160}, 0},
			{40, at(0xffff, false), event{10, true, 320}, 0},
		},
		"timestamps that move along": {
			{0, at(0, true), event{3, false, 160}, '3'}, {20, at(160, false), event{3, false, 320}, 0},
			{40, at(320, false), event{3, true, 480}, 0}, {60, at(320, false), event{3, true, 480}, 0},
		},
		"the timestamp wraps": {{0, at(0xffffff00, true), event{1, true, 480}, '1'}, {300, at(100, true), event{2, true, 480}, '2'}},
		"a flash is no key":   {{0, at(0, true), event{16, false, 160}, 0}, {9, at(0, true), event{255, true, 160}, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var p presses
			begin := time.Now()
			for i, c := range packets {
				key, ok := p.take(c.h, c.e, begin.Add(time.Duration(c.ms)*time.Millisecond))
				if key != c.want || ok != (c.want != 0) {
					t.Errorf("packet %d: %q, %v", i, key, ok)
				}
			}
		})
	}
}

func TestReception(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	for _, c := range []struct {
		name     string
		seqs     []int
		received uint64
		lost     int64
		ordered  int
	}{
		{"in order", []int{1, 2, 3, 4}, 4, 0, 4},
		{"one lost", []int{1, 2, 4}, 3, 1, 3},
		{"out of order", []int{1, 3, 2, 4}, 4, 0, 3},
		{"before the first", []int{5, 4, 6}, 3, -1, 2},
		{"twice", []int{1, 2, 2}, 3, -1, 2},
		{"over the end", []int{65534, 65535, 0, 1, 3}, 5, 1, 5},
		{"a new start", []int{1, 2, 20000, 20002}, 4, 1, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var r reception
			ordered := 0
			for i, seq := range c.seqs {
				h := header{seq: uint16(seq), ts: uint32(i * 160)}
				if i == 0 {
					r.begin(h)
				}
				if r.add(h, begin.Add(time.Duration(i)*20*time.Millisecond), true) {
					ordered++
				}
			}
			if r.total() != c.received || r.lost() != c.lost || ordered != c.ordered {
				t.Errorf("received %d, lost %d, in order %d", r.total(), r.lost(), ordered)
			}
			if j := r.jitterTime(); c.name == "in order" && j > time.Millisecond {
				t.Errorf("jitter %v of an even stream", j)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	var r reception
	begin := time.Now()
	for i := range 500 {
		h := header{seq: uint16(i), ts: uint32(i * 160)}
		if i == 0 {
			r.begin(h)
		}
		r.add(h, begin.Add(time.Duration(20*i+10*(i%2))*time.Millisecond), true)
	}
	if j := r.jitterTime(); j < 9*time.Millisecond || j > 11*time.Millisecond {
		t.Errorf("%v of a stream that is 10 ms off every second time", j)
	}
	if f := r.fraction(); f != 0 {
		t.Errorf("%d of 256 lost", f)
	}
	r.add(header{seq: 599, ts: 599 * 160}, begin.Add(12*time.Second), true)
	if f := r.fraction(); f != 253 {
		t.Errorf("99 of 100 lost: %d of 256", f)
	}
}

func TestCryptoIsMasked(t *testing.T) {
	t.Parallel()
	c, _ := cryptos(SuiteSHA1_80)
	for i := range c.Key {
		c.Key[i] = 'K'
	}
	r := Remote{Send: c}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "crypto", c, "value", *c, "remote", r)
	all := []string{string(raw), log.String(), c.String(), c.GoString(), fmt.Sprint(r, *r.Send)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d", "%q"} {
		all = append(all, fmt.Sprintf(verb, c), fmt.Sprintf(verb, *c), fmt.Sprintf(verb, struct{ C Crypto }{*c}))
	}
	for _, s := range all {
		if strings.Contains(s, "KKK") || strings.Contains(s, "4b4b") || strings.Contains(s, "75 75") {
			t.Errorf("a key shows: %s", s)
		}
	}
}
