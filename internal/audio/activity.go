package audio

// What Activity takes for speech. Levels are mean magnitudes of a frame's
// samples: 256 is about -40 dBFS.
const (
	quietest  = 100.0 // softer than this (-48 dBFS) nobody speaks
	speechGap = 4.0   // speech is this much (12 dB) over the line's noise
	// The first frame tells the noise, unless somebody already speaks: then this
	// limit keeps a voice above -31 dBFS audible from the start.
	loudestStart = 150.0
	silentStart  = 25     // frames (500 ms)
	noiseRise    = 1.0116 // a frame: 5 dB a second, so a new noise is known within a few seconds
	noiseFall    = 0.25   // of the way down, a frame: a pause between words tells the noise again
	onsetFrames  = 4      // a click of 40 ms touches three
	hangover     = 12     // frames (240 ms): longer than the pauses within a sentence
)

// Activity says whether somebody speaks, from the energy on the line over its
// noise. It serves to wait until a "hello" is over, and knows nothing finer. The
// zero value is ready; it is for one stream and one goroutine.
type Activity struct {
	noise    float64 // the line's noise; 0 while it is not known
	silent   int     // frames without any sound while it is not known
	loud     int     // loud frames seen, less quiet ones
	left     int     // frames of hangover
	speaking bool
}

// Feed takes the next frame of 20 ms and says whether somebody speaks: from 80 ms
// of speech until 240 ms after it.
func (a *Activity) Feed(frame []int16) bool {
	level := magnitude(frame)
	if level > a.threshold(level) {
		a.loud = min(a.loud+1, onsetFrames)
	} else {
		a.loud = max(a.loud-1, 0)
	}
	switch {
	case a.loud == onsetFrames:
		a.speaking, a.left = true, hangover
	case a.left > 1:
		a.left--
	default:
		a.speaking, a.left = false, 0
	}
	return a.speaking
}

// threshold learns the noise from a frame's level, and says above which level a
// frame is loud.
func (a *Activity) threshold(level float64) float64 {
	switch {
	case level < 1 && a.noise == 0:
		// Before the first packet, or a line without any noise: after a while the latter.
		if a.silent++; a.silent == silentStart {
			a.noise = quietest / speechGap
		}
	case level < 1:
		// A lost packet or suppressed silence says nothing about the noise.
	case a.noise == 0:
		a.noise = min(level, loudestStart)
	case level < a.noise:
		a.noise += (level - a.noise) * noiseFall
	default:
		a.noise = min(a.noise*noiseRise, level)
	}
	return max(a.noise*speechGap, quietest)
}

func magnitude(frame []int16) float64 {
	if len(frame) == 0 {
		return 0
	}
	sum := 0
	for _, s := range frame {
		x := int(s)
		sum += max(x, -x)
	}
	return float64(sum) / float64(len(frame))
}
