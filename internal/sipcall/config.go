package sipcall

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pincall/pincall/internal/audio"
	"github.com/pincall/pincall/internal/media"
)

// Transport is how signalling travels.
type Transport string

// The transports.
const (
	UDP Transport = "udp" // the default
	TCP Transport = "tcp"
	TLS Transport = "tls"
)

// SRTP says whether a call's sound is encrypted, with keys by SDES (RFC 4568).
type SRTP string

// The modes of SRTP.
const (
	SRTPOff      SRTP = "off"      // the default: RTP/AVP, no key is offered
	SRTPOptional SRTP = "optional" // RTP/AVP with a=crypto: used if the answer takes it
	SRTPRequired SRTP = "required" // RTP/SAVP: an answer without a key ends the call
)

// Config is a trunk. The zero value of every field but Proxies and Open is a
// working default.
type Config struct {
	Name string // of the trunk, for log lines

	// Proxies are tried in order: "host:port", "ip:port", "[v6]:port", or a
	// domain, whose SRV records (RFC 3263) are used unless NoSRV.
	Proxies   []string
	NoSRV     bool
	Transport Transport      // zero: UDP
	Bind      netip.AddrPort // zero: every IPv4 address, a port of the kernel's choice
	PublicIP  netip.Addr     // behind NAT: what Via, Contact and SDP say; zero: our own address
	TLS       Security
	Auth      Auth
	Register  Register

	FromDomain string   // of From and P-Asserted-Identity; zero: the proxy's host
	Display    string   // display name of From; zero: none
	PAI        bool     // send P-Asserted-Identity (RFC 3325) with the caller ID
	Privacy    string   // Privacy header (RFC 3323): "id", "none"; zero: none sent
	Headers    []Header // added to every INVITE
	URIParams  []string // of the Request-URI: "user=phone"

	Codecs   []audio.Codec // in order of preference; zero: PCMU, PCMA
	EventPT  uint8         // payload type of telephone-event (RFC 4733); zero: 101
	InfoKeys bool          // take keys from INFO application/dtmf-relay, too
	SRTP     SRTP          // zero: off
	Latch    bool          // take sound from another address than the SDP's

	SessionTimer    SessionTimer
	OptionsInterval time.Duration // between pings; zero: 30 s, negative: none
	NoTrying        time.Duration // silence that marks a proxy down for later calls; zero: 4 s
	DownFor         time.Duration // how long such a mark lasts without pings; zero: 30 s

	// Failover are the final answers after which the next proxy is tried, and
	// only where the phone provably did not ring; nil: 500, 502, 503, 505.
	Failover []int

	// Peers may signal to us beside the proxies' own addresses. MediaPeers is
	// where an answer may send our sound; empty: anywhere.
	Peers, MediaPeers []netip.Prefix

	// Incoming takes a call to us; nil: 403. MaxIncoming bounds them (486
	// beyond); zero: 4, negative: none. Its context ends when the other end
	// gives up or the caller stops.
	Incoming    func(context.Context, *Incoming)
	MaxIncoming int

	Open     func() (Stream, error) // reserves a call's media; needed
	Resolver Resolver               // zero: net.DefaultResolver
	Log      *slog.Logger           // zero: none
	Now      func() time.Time       // zero: time.Now
}

// Security is TLS to the proxies.
type Security struct {
	CA         []byte // PEM of the trusted roots; nil: the system's
	ServerName string // in the certificate; zero: the host of the proxies, which must then be one
	Cert, Key  []byte // PEM of our own certificate, and our listener's; nil: none
	MinVersion uint16 // tls.VersionTLS12...; zero: TLS 1.2
}

// Auth is digest authentication (RFC 8760). It masks itself.
type Auth struct {
	User, Password string
	Realm          string // answer only this realm; zero: any
}

// String hides the credentials.
func (a Auth) String() string { return "sipcall.Auth(masked)" }

// GoString hides the credentials.
func (a Auth) GoString() string { return a.String() }

// LogValue hides the credentials.
func (a Auth) LogValue() slog.Value { return slog.StringValue(a.String()) }

// MarshalJSON hides the credentials.
func (a Auth) MarshalJSON() ([]byte, error) { return []byte(`"masked"`), nil }

// Register is registration at the first proxy that takes it (RFC 3261 10).
type Register struct {
	On          bool
	Expires     time.Duration // asked for; zero: 5 minutes
	ContactUser string        // zero: Auth.User
}

// SessionTimer is RFC 4028. Its zero value asks for none; the other end's wish
// is granted in any case.
type SessionTimer struct {
	Expires   time.Duration // asked for in our INVITE; zero: none
	MinSE     time.Duration // shortest that we accept; zero: 90 s
	Refresher string        // "uac" or "uas"; zero: the other end chooses
}

// Header is one more header of a request.
type Header struct{ Name, Value string }

// Sound is what a connected call carries, as *media.Stream does. What waits
// fails with ctx's error, or when the stream is closed.
type Sound interface {
	// Play returns when the clip's last frame was sent.
	Play(ctx context.Context, clip *audio.Clip) error
	// Pause sends silence.
	Pause(ctx context.Context, d time.Duration) error
	// Begin begins to play, or to send silence, and returns.
	Begin(ctx context.Context, a media.Act) (*media.Playing, error)
	// Keys are what the other end presses.
	Keys() <-chan byte
	// SendKeys presses keys: 0-9, *, #, A-D, and the pauses w and W.
	SendKeys(ctx context.Context, keys string) error
	// Quiet returns when the other end is silent, at the latest after longest.
	Quiet(ctx context.Context, longest time.Duration) error
}

// Stream is one call's media, as *media.Stream.
type Stream interface {
	Sound
	// Local is the address for the SDP; RTCP is the next port.
	Local() netip.AddrPort
	// Connect follows an answer, and every later change of it.
	Connect(remote media.Remote) error
	// Stats are the figures so far.
	Stats() media.Stats
	// Close ends all that waits and frees the address.
	Close() error
}

// Resolver is DNS, as *net.Resolver.
type Resolver interface {
	// LookupSRV returns records in the order of RFC 2782: by priority, then
	// drawn by weight.
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	// LookupNetIP returns addresses of "ip", "ip4" or "ip6".
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Defaults, and limits that no carrier needs to change.
const (
	defaultRing     = 30 * time.Second
	defaultMinSE    = 90 * time.Second // RFC 4028 section 5
	dialTimeout     = 5 * time.Second  // of TCP and TLS
	ackDial         = 2 * time.Second  // the same for an ACK, which another address may take
	transactionTime = 32 * time.Second // RFC 3261: 64*T1
	t1              = 500 * time.Millisecond
	t2              = 4 * time.Second
	byeWait         = 5 * time.Second // for the answer to our BYE
	cancelWait      = 2 * time.Second // for the INVITE's end after CANCEL, before it is followed unseen
	pingWait        = 4 * time.Second
	longestTime     = 24 * time.Hour // that a configuration may ask for
	userAgent       = "pincall"
	allowed         = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO, NOTIFY"
)

// withDefaults fills in what was left out, and says what cannot work.
func (c Config) withDefaults() (Config, error) {
	if err := c.check(); err != nil {
		return c, fmt.Errorf("sipcall: %w", err)
	}
	c.Transport = or(c.Transport, UDP)
	c.SRTP = or(c.SRTP, SRTPOff)
	c.EventPT = or(c.EventPT, 101)
	c.OptionsInterval = or(c.OptionsInterval, 30*time.Second)
	c.NoTrying = or(c.NoTrying, 4*time.Second)
	c.DownFor = or(c.DownFor, 30*time.Second)
	c.MaxIncoming = or(c.MaxIncoming, 4)
	c.SessionTimer.MinSE = or(c.SessionTimer.MinSE, defaultMinSE)
	c.Register.Expires = or(c.Register.Expires, 5*time.Minute)
	c.Register.ContactUser = or(c.Register.ContactUser, c.Auth.User)
	if !c.Bind.IsValid() {
		c.Bind = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	if len(c.Codecs) == 0 {
		c.Codecs = []audio.Codec{audio.PCMU, audio.PCMA}
	}
	if c.Failover == nil {
		c.Failover = []int{500, 502, 503, 505}
	}
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Log = c.Log.With("trunk", c.Name)
	return c, nil
}

func (c Config) check() error {
	switch {
	case len(c.Proxies) == 0:
		return errors.New("a trunk needs a proxy")
	case c.Open == nil:
		return errors.New("a trunk needs media: Open")
	case !slices.Contains([]Transport{"", UDP, TCP, TLS}, c.Transport):
		return fmt.Errorf("transport %q: udp, tcp or tls", c.Transport)
	case !slices.Contains([]SRTP{"", SRTPOff, SRTPOptional, SRTPRequired}, c.SRTP):
		return fmt.Errorf("srtp %q: off, optional or required", c.SRTP)
	case c.EventPT != 0 && (c.EventPT < 96 || c.EventPT > 127):
		return fmt.Errorf("telephone-event payload type %d: 96 to 127", c.EventPT)
	case !slices.Contains([]string{"", "uac", "uas"}, c.SessionTimer.Refresher):
		return fmt.Errorf("session timer: refresher %q: uac or uas", c.SessionTimer.Refresher)
	case c.Register.On && c.Auth.User == "" && c.Register.ContactUser == "":
		return errors.New("registration needs a user")
	}
	for _, p := range c.Proxies {
		if _, _, err := splitProxy(p); err != nil {
			return err
		}
	}
	for _, h := range c.Headers {
		if err := h.check(); err != nil {
			return err
		}
	}
	for _, d := range []time.Duration{c.NoTrying, c.DownFor, c.Register.Expires, c.SessionTimer.Expires, c.SessionTimer.MinSE} {
		if d < 0 || d > longestTime {
			return errors.New("no trying, down for, register: expires, session timer: from 0 to 24 hours")
		}
	}
	if slices.ContainsFunc(append(slices.Clone(c.URIParams), c.Auth.User, c.Register.ContactUser), unsafeWord) {
		return errors.New("users and URI parameters hold no spaces, quotes, brackets or line ends")
	}
	if broken := slices.IndexFunc([]string{c.Display, c.FromDomain, c.Privacy}, unsafeText); broken >= 0 {
		return errors.New("display name, from domain and privacy hold no quotes, brackets or line ends")
	}
	return nil
}

// check refuses what would break the message or what the dialog itself writes.
func (h Header) check() error {
	ours := []string{"via", "v", "from", "f", "to", "t", "call-id", "i", "cseq", "contact", "m", "route", "max-forwards", "content-length", "l", "content-type", "c"}
	switch {
	case h.Name == "" || strings.ContainsAny(h.Name, " \t:\r\n"):
		return fmt.Errorf("header name %q", h.Name)
	case slices.Contains(ours, strings.ToLower(h.Name)):
		return fmt.Errorf("header %q is written by the caller itself", h.Name)
	case strings.ContainsAny(h.Value, "\r\n"):
		return fmt.Errorf("header %q: its value has a line end", h.Name)
	}
	return nil
}

// unsafeText says that a text would break out of a quoted name or a URI.
func unsafeText(s string) bool { return strings.ContainsAny(s, "\"\\<>\r\n") }

// unsafeWord says that a text would break out of a URI.
func unsafeWord(s string) bool { return unsafeText(s) || strings.ContainsAny(s, " \t") }

// splitProxy reads "host", "host:port", "ip" or "[v6]:port". Port 0: none written.
func splitProxy(s string) (host string, port uint16, err error) {
	bad := func() (string, uint16, error) {
		return "", 0, fmt.Errorf("proxy %q: host, host:port, or [IPv6]:port", s)
	}
	if s == "" || strings.ContainsAny(s, " /@;<>\"\r\n") {
		return bad()
	}
	if ip, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return ip.String(), 0, nil
	}
	if !strings.Contains(s, ":") {
		return s, 0, nil
	}
	host, text, err := net.SplitHostPort(s)
	n, perr := strconv.ParseUint(text, 10, 16)
	if err != nil || perr != nil || host == "" || n == 0 {
		return bad()
	}
	return host, uint16(n), nil
}

// or is the first of the two that is not zero.
func or[T comparable](a, b T) T {
	var zero T
	if a == zero {
		return b
	}
	return a
}
