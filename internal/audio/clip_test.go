package audio

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestClipFrames(t *testing.T) {
	t.Parallel()
	for _, codec := range []Codec{PCMU, PCMA} {
		for n, want := range map[int]int{0: 0, 1: 1, 160: 1, 161: 2, 800: 5} {
			samples := voice(1, 800)[:n]
			clip := NewClip(samples)
			frames := clip.Frames(codec)
			if len(frames) != want || clip.Duration() != time.Duration(want)*20*time.Millisecond {
				t.Fatalf("%v, %d samples: %d frames, %v", codec, n, len(frames), clip.Duration())
			}
			var all []byte
			for _, f := range frames {
				if len(f) != FrameSamples || cap(f) != FrameSamples {
					t.Fatalf("a frame of %d bytes, room for %d", len(f), cap(f))
				}
				all = append(all, f...)
			}
			code := make([]byte, len(all))
			for i := range code {
				code[i] = codec.Silence()
			}
			codec.Encode(code, samples)
			if diff := cmp.Diff(string(code), string(all)); diff != "" {
				t.Errorf("%v, %d samples: %s", codec, n, diff)
			}
		}
	}
}

func TestClipIsShared(t *testing.T) {
	t.Parallel()
	clip := NewClip(voice(1, 8000))
	var wait sync.WaitGroup
	first := make([]*byte, 8)
	for i := range first {
		wait.Go(func() { first[i] = &clip.Frames(PCMU)[0][0] })
	}
	wait.Wait()
	for _, p := range first {
		if p != first[0] {
			t.Error("two calls have frames of their own")
		}
	}
	var silence [1]int16
	PCMA.Decode(silence[:], []byte{PCMA.Silence()})
	if silence[0] != 8 {
		t.Errorf("A-law's silence is %d, want its smallest value 8", silence[0])
	}
}

func TestClipAllocatesOnce(t *testing.T) {
	// Not parallel: AllocsPerRun forbids it.
	clip := NewClip(voice(1, 8000))
	clip.Frames(PCMU)
	if n := testing.AllocsPerRun(100, func() { clip.Frames(PCMU) }); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
	var a Activity
	if n := testing.AllocsPerRun(100, func() { a.Feed(clip.Samples()[:FrameSamples]) }); n != 0 {
		t.Errorf("Activity: %v allocations a frame", n)
	}
}

func BenchmarkClipFrames(b *testing.B) {
	clip := NewClip(voice(1, 8000))
	b.ReportAllocs()
	for b.Loop() {
		clip.Frames(PCMU)
	}
}
