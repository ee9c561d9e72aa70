package app

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/carrier/trunk"
	"github.com/pincall/pincall/internal/media"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
	"github.com/pincall/pincall/internal/sipcall"
	"github.com/pincall/pincall/internal/speech"
	"github.com/pincall/pincall/internal/talk"
)

// misplaced says which options of a route belong to another carrier.
func (r RouteFile) misplaced() error {
	if r.Carrier != "trunk" && !reflect.ValueOf(r.Trunk).IsZero() {
		return errors.New("trunk: only carrier trunk has these options")
	}
	if r.Carrier == "trunk" && (r.Caller != "" || r.Sender != "" || r.BaseURL != "") {
		return errors.New("caller, sender and base_url are xoxzo's: a trunk has trunk.caller_ids and trunk.proxies")
	}
	if r.Weight < 0 {
		return errors.New("weight: write a number of at least 0")
	}
	return nil
}

// secretVariables are the environment variables that options name: they may
// begin as those of options do.
func (f *File) secretVariables() []string {
	var out []string
	for _, e := range f.Voices.Engines {
		out = append(out, e.KeyEnv)
	}
	for _, r := range f.Routes {
		out = append(out, r.Trunk.Auth.PasswordEnv)
		for _, h := range r.Trunk.Headers {
			out = append(out, h.ValueEnv)
		}
	}
	return slices.DeleteFunc(out, func(name string) bool { return name == "" })
}

// trunk turns a trunk's options into the carrier's, without its media.
func (c Config) trunk(f TrunkFile, speaker *speech.Speaker) (trunk.Config, error) {
	line, err := c.line(f)
	if err != nil {
		return trunk.Config{}, err
	}
	cfg := trunk.Config{
		Caller: line, Speaker: talk.Voices(speaker), Countries: f.Countries,
		Numbering:      trunk.Numbering{Format: trunk.Format(f.NumberFormat), Strip: f.Strip, Prefix: f.Prefix},
		CallsPerSecond: f.MaxCPS, Concurrent: f.MaxConcurrent, RingTimeout: f.RingTimeout, Log: c.Log,
	}
	for _, id := range f.CallerIDs {
		cfg.CallerIDs = append(cfg.CallerIDs, trunk.CallerID{Number: id.Number, Countries: id.Countries})
	}
	for i, country := range f.Countries {
		if !phone.IsCountry(country) {
			return cfg, fmt.Errorf("countries[%d]: write ISO 3166 codes in capitals, such as JP or GB", i)
		}
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"max_cps", int64(f.MaxCPS)}, {"max_concurrent", int64(f.MaxConcurrent)}, {"ring_timeout", int64(f.RingTimeout)}} {
		if n.value < 0 {
			return cfg, fmt.Errorf("%s: write nothing for no limit, or more than 0", n.name)
		}
	}
	cfg.Callback, err = f.Callback.announcement(speaker)
	return cfg, err
}

// line turns a trunk's options into the SIP caller's, without its media.
func (c Config) line(f TrunkFile) (sipcall.Config, error) {
	cfg := sipcall.Config{
		Proxies: f.Proxies, NoSRV: f.SRV != nil && !*f.SRV, Transport: sipcall.Transport(f.Transport),
		Register:   sipcall.Register{On: f.Register.On, Expires: f.Register.Expires, ContactUser: f.Register.ContactUser},
		FromDomain: f.FromDomain, Display: f.Display, PAI: f.PAI, Privacy: f.Privacy, URIParams: f.URIParams,
		EventPT: uint8(f.DTMF.PayloadType), InfoKeys: f.DTMF.Info, SRTP: sipcall.SRTP(f.SRTP), Latch: f.RTP.Latch,
		SessionTimer: sipcall.SessionTimer{
			Expires: f.SessionTimer.Expires, MinSE: f.SessionTimer.MinSE, Refresher: f.SessionTimer.Refresher,
		},
		OptionsInterval: f.OptionsInterval, NoTrying: f.NoTrying, DownFor: f.DownFor, Log: c.Log,
	}
	if err := f.check(); err != nil {
		return cfg, err
	}
	var errs [7]error
	cfg.Bind, errs[0] = parseBind(f.Bind)
	cfg.TLS, errs[1] = f.TLS.read()
	cfg.Auth, errs[2] = c.credentials(f.Auth)
	cfg.Headers, errs[3] = c.headers(f.Headers)
	cfg.Codecs, errs[4] = parseCodecs(f.Codecs)
	cfg.Failover, errs[5] = parseFailover(f.Failover)
	errs[6] = f.networks(&cfg)
	for _, err := range errs {
		if err != nil { // the first alone: errors are one line
			return cfg, err
		}
	}
	return cfg, nil
}

// check judges the options that are one of a few words or within bounds.
func (f TrunkFile) check() error {
	for _, w := range []struct{ option, have, words string }{
		{"transport", f.Transport, "udp, tcp or tls"},
		{"srtp", f.SRTP, "off, optional or required"},
		{"privacy", f.Privacy, "id or none"},
		{"number_format", f.NumberFormat, "+e164, e164 or national"},
		{"session_timer.refresher", f.SessionTimer.Refresher, "uac or uas"},
		{"rtp.sockets", f.RTP.Sockets, "pool, call or shared"},
		{"tls.min_version", f.TLS.MinVersion, "1.2 or 1.3"},
	} {
		words := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(w.words, ",", " "), " or ", " "))
		if w.have != "" && !slices.Contains(words, w.have) {
			return fmt.Errorf("%s: choose %s", w.option, w.words)
		}
	}
	dscp := 0
	if f.RTP.DSCP != nil {
		dscp = *f.RTP.DSCP
	}
	switch pt := f.DTMF.PayloadType; {
	case len(f.Proxies) == 0:
		return errors.New("proxies: write at least one, such as [sip.example.com]")
	case pt != 0 && (pt < 96 || pt > 127):
		return errors.New("dtmf.payload_type: write a number from 96 to 127")
	case f.RTP.MinPort < 0 || f.RTP.MaxPort < 0 || max(f.RTP.MinPort, f.RTP.MaxPort) > 65535:
		return errors.New("rtp.min_port and rtp.max_port: write ports from 1 to 65535")
	case f.RTP.MaxPort != 0 && f.RTP.MaxPort < f.RTP.MinPort+f.RTP.MinPort%2+1:
		return errors.New("rtp.max_port: write one that leaves room above min_port for an even port and the next")
	case f.RTP.PoolSize < 0:
		return errors.New("rtp.pool_size: write a number above 0")
	case dscp < 0 || dscp > 63:
		return errors.New("rtp.dscp: write a number from 0 (no mark) to 63")
	}
	return nil
}

// mediaConfig is where the trunk's sound comes and goes; f was judged.
func (f TrunkFile) mediaConfig(bind netip.AddrPort) media.PoolConfig {
	cfg := media.PoolConfig{
		Bind: bind.Addr(), MinPort: uint16(f.RTP.MinPort), MaxPort: uint16(f.RTP.MaxPort), Size: f.RTP.PoolSize,
		Sockets: media.Sockets(f.RTP.Sockets), NoRTCP: f.RTP.RTCP != nil && !*f.RTP.RTCP,
	}
	if f.RTP.DSCP != nil {
		cfg.DSCP = *f.RTP.DSCP
		if cfg.DSCP == 0 {
			cfg.DSCP = -1
		}
	}
	return cfg
}

// parseBind reads an address with or without a port.
func parseBind(text string) (netip.AddrPort, error) {
	if text == "" {
		return netip.AddrPort{}, nil
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.AddrPortFrom(ip, 0), nil
	}
	at, err := netip.ParseAddrPort(text)
	if err != nil {
		return at, errors.New("bind: write IP or IP:PORT, such as 0.0.0.0:5060")
	}
	return at, nil
}

// networks reads addresses and networks.
func (f TrunkFile) networks(cfg *sipcall.Config) (err error) {
	if f.PublicIP != "" {
		if cfg.PublicIP, err = netip.ParseAddr(f.PublicIP); err != nil {
			return errors.New("public_ip: write an IP address")
		}
	}
	if cfg.Peers, err = parsePrefixes("peers", f.Peers); err != nil {
		return err
	}
	cfg.MediaPeers, err = parsePrefixes("media_peers", f.MediaPeers)
	return err
}

// parsePrefixes reads networks; a single address is one, too.
func parsePrefixes(option string, texts []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for i, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil && a.Zone() == "" {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil || !p.IsValid() {
			return nil, fmt.Errorf("%s[%d]: write a network such as 203.0.113.0/24, or an address", option, i)
		}
		out = append(out, p.Masked())
	}
	return out, nil
}

// read reads the files.
func (f TrunkTLSFile) read() (sipcall.Security, error) {
	out := sipcall.Security{ServerName: f.ServerName}
	switch f.MinVersion {
	case "1.2":
		out.MinVersion = tls.VersionTLS12
	case "1.3":
		out.MinVersion = tls.VersionTLS13
	}
	if (f.Cert == "") != (f.Key == "") {
		return out, errors.New("tls: name both files, cert and key, or none")
	}
	for _, x := range []struct {
		option, path string
		to           *[]byte
	}{{"ca", f.CA, &out.CA}, {"cert", f.Cert, &out.Cert}, {"key", f.Key, &out.Key}} {
		if x.path == "" {
			continue
		}
		b, err := os.ReadFile(x.path)
		if err != nil {
			return out, fmt.Errorf("tls.%s: %w", x.option, err)
		}
		*x.to = b
	}
	return out, nil
}

// credentials finds the password where the options say it is.
func (c Config) credentials(f AuthFile) (sipcall.Auth, error) {
	out := sipcall.Auth{User: f.User, Realm: f.Realm}
	switch {
	case f.PasswordEnv != "" && f.PasswordFile != "":
		return out, errors.New("auth: name password_env or password_file, not both")
	case f.PasswordEnv != "":
		if out.Password = c.Getenv(f.PasswordEnv); out.Password == "" {
			return out, errors.New("auth.password_env: the environment variable that it names is empty")
		}
	case f.PasswordFile != "":
		b, err := os.ReadFile(f.PasswordFile)
		if err != nil {
			return out, fmt.Errorf("auth.password_file: %w", err)
		}
		if out.Password = strings.TrimSpace(string(b)); out.Password == "" {
			return out, errors.New("auth.password_file: the file is empty")
		}
	}
	if (out.User == "") != (out.Password == "") {
		return out, errors.New("auth: user and a password belong together: set user, and password_env or password_file")
	}
	return out, nil
}

func (c Config) headers(files []HeaderFile) ([]sipcall.Header, error) {
	var out []sipcall.Header
	for i, f := range files {
		if f.ValueEnv != "" {
			if f.Value != "" {
				return nil, fmt.Errorf("headers[%d]: write value or value_env, not both", i)
			}
			if f.Value = c.Getenv(f.ValueEnv); f.Value == "" {
				return nil, fmt.Errorf("headers[%d].value_env: the environment variable that it names is empty", i)
			}
		}
		out = append(out, sipcall.Header{Name: f.Name, Value: f.Value})
	}
	return out, nil
}

func parseCodecs(names []string) ([]audio.Codec, error) {
	var out []audio.Codec
	for i, name := range names {
		switch strings.ToLower(name) {
		case "pcmu":
			out = append(out, audio.PCMU)
		case "pcma":
			out = append(out, audio.PCMA)
		default:
			return nil, fmt.Errorf("codecs[%d]: choose pcmu or pcma", i)
		}
	}
	return out, nil
}

// parseFailover reads statuses; none alone is an empty list, which nil is not.
func parseFailover(texts []string) ([]int, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	out := []int{}
	if len(texts) == 1 && texts[0] == "none" {
		return out, nil
	}
	for i, text := range texts {
		n, err := strconv.Atoi(text)
		if err != nil || n < 400 || n > 599 {
			return nil, fmt.Errorf("failover[%d]: write SIP answers from 400 to 599, or none alone", i)
		}
		out = append(out, n)
	}
	return out, nil
}

// What a call back hears where nothing else is written; English.
const (
	welcomeOf    = "This is an automated line of %s."
	welcomePlain = "This is an automated line."
	welcomeRest  = " It called you with a verification code that somebody asked for with your number. You need not call back. Good-bye."
)

// announcement makes what a call back hears: the file, else the text where a voice
// can say it. Nothing written, and no voice: the call is declined.
func (f CallbackFile) announcement(speaker *speech.Speaker) (trunk.Callback, error) {
	if f.File != "" {
		return f.recording()
	}
	lang := or(f.Lang, "en")
	text := f.Text
	if text == "" {
		if lang != "en" {
			return trunk.Callback{}, errors.New("callback.text: the built-in text is English: write one in callback.lang")
		}
		if f.Brand != "" {
			if err := script.CheckBrand(f.Brand); err != nil {
				return trunk.Callback{}, fmt.Errorf("callback.%w", err)
			}
		}
		text = welcomePlain
		if f.Brand != "" {
			text = fmt.Sprintf(welcomeOf, f.Brand)
		}
		text += welcomeRest
	}
	s, err := script.ComposeText(lang, text)
	if err != nil {
		return trunk.Callback{}, fmt.Errorf("callback: %w", err)
	}
	if speaker == nil || !slices.Contains(speaker.Words(), s.Lang) {
		if f.Text != "" {
			return trunk.Callback{}, errors.New("callback.text: no speech engine says it: install espeak-ng, set voices.engines, or record callback.file")
		}
		return trunk.Callback{}, nil
	}
	return trunk.Callback{Script: s}, nil
}

const (
	recordingLevel   = -20.0    // dBFS, that of our voices
	longestRecording = 30       // seconds: it is said twice in a minute
	largestRecording = 16 << 20 // bytes
)

// recording reads the file as sound of a telephone line.
func (f CallbackFile) recording() (trunk.Callback, error) {
	info, err := os.Stat(f.File)
	if err == nil && info.Size() > largestRecording {
		return trunk.Callback{}, fmt.Errorf("callback.file: it is larger than %d MB", largestRecording>>20)
	}
	b, err := os.ReadFile(f.File)
	if err != nil {
		return trunk.Callback{}, fmt.Errorf("callback.file: %w", err)
	}
	sound, err := audio.DecodeWAV(b)
	if err != nil {
		return trunk.Callback{}, fmt.Errorf("callback.file: %w", err)
	}
	if sound.Duration().Seconds() > longestRecording {
		return trunk.Callback{}, fmt.Errorf("callback.file: it is longer than %d s", longestRecording)
	}
	pcm := audio.Normalize(sound.Resample(audio.Rate).Samples, recordingLevel)
	return trunk.Callback{Clip: audio.NewClip(pcm)}, nil
}
