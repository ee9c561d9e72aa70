package app

import "time"

// TrunkFile configures a SIP trunk; pincall.example.yaml and docs/trunks.md
// explain it. Only proxies are needed.
type TrunkFile struct {
	Proxies   []string     `yaml:"proxies"`
	SRV       *bool        `yaml:"srv"`
	Transport string       `yaml:"transport"` // udp, tcp, tls
	Bind      string       `yaml:"bind"`      // ip or ip:port
	PublicIP  string       `yaml:"public_ip"`
	TLS       TrunkTLSFile `yaml:"tls"`
	Auth      AuthFile     `yaml:"auth"`
	Register  RegisterFile `yaml:"register"`

	FromDomain string       `yaml:"from_domain"`
	Display    string       `yaml:"display"`
	PAI        bool         `yaml:"p_asserted_identity"`
	Privacy    string       `yaml:"privacy"` // id, none
	Headers    []HeaderFile `yaml:"headers"`
	URIParams  []string     `yaml:"uri_params"`

	CallerIDs    []CallerIDFile `yaml:"caller_ids"`
	NumberFormat string         `yaml:"number_format"` // +e164, e164, national
	Strip        string         `yaml:"strip"`
	Prefix       string         `yaml:"prefix"`
	Countries    []string       `yaml:"countries"`

	Codecs []string `yaml:"codecs"` // pcmu, pcma
	DTMF   DTMFFile `yaml:"dtmf"`
	SRTP   string   `yaml:"srtp"` // off, optional, required
	RTP    RTPFile  `yaml:"rtp"`

	MaxCPS        int `yaml:"max_cps"`
	MaxConcurrent int `yaml:"max_concurrent"`

	RingTimeout     time.Duration    `yaml:"ring_timeout"`
	NoTrying        time.Duration    `yaml:"no_trying"`
	OptionsInterval time.Duration    `yaml:"options_interval"`
	DownFor         time.Duration    `yaml:"down_for"`
	Failover        []string         `yaml:"failover"` // SIP statuses, or none
	SessionTimer    SessionTimerFile `yaml:"session_timer"`

	Peers      []string     `yaml:"peers"`
	MediaPeers []string     `yaml:"media_peers"`
	Callback   CallbackFile `yaml:"callback"`
}

// TrunkTLSFile is TLS to the proxies. Files are PEM.
type TrunkTLSFile struct {
	CA         string `yaml:"ca"`
	ServerName string `yaml:"server_name"`
	Cert       string `yaml:"cert"`
	Key        string `yaml:"key"`
	MinVersion string `yaml:"min_version"` // 1.2, 1.3
}

// AuthFile says where the credentials are. The password itself is never in the
// configuration.
type AuthFile struct {
	User         string `yaml:"user"`
	PasswordEnv  string `yaml:"password_env"`
	PasswordFile string `yaml:"password_file"`
	Realm        string `yaml:"realm"`
}

// RegisterFile is registration with the carrier.
type RegisterFile struct {
	On          bool          `yaml:"on"`
	Expires     time.Duration `yaml:"expires"`
	ContactUser string        `yaml:"contact_user"`
}

// HeaderFile is one more header of each call. ValueEnv names the environment
// variable that holds a secret value.
type HeaderFile struct {
	Name     string `yaml:"name"`
	Value    string `yaml:"value"`
	ValueEnv string `yaml:"value_env"`
}

// CallerIDFile is a number that persons are shown.
type CallerIDFile struct {
	Number    string   `yaml:"number"`
	Countries []string `yaml:"countries"`
}

// DTMFFile is how keys travel.
type DTMFFile struct {
	PayloadType int  `yaml:"payload_type"`
	Info        bool `yaml:"info"`
}

// RTPFile is the trunk's sound on the network.
type RTPFile struct {
	MinPort  int    `yaml:"min_port"`
	MaxPort  int    `yaml:"max_port"`
	Sockets  string `yaml:"sockets"` // pool, call, shared
	PoolSize int    `yaml:"pool_size"`
	Latch    bool   `yaml:"latch"`
	RTCP     *bool  `yaml:"rtcp"`
	DSCP     *int   `yaml:"dscp"`
}

// SessionTimerFile is RFC 4028.
type SessionTimerFile struct {
	Expires   time.Duration `yaml:"expires"`
	MinSE     time.Duration `yaml:"min_se"`
	Refresher string        `yaml:"refresher"` // uac, uas
}

// CallbackFile is what somebody hears who calls a caller ID back: a recording, or
// a text that a speech engine says.
type CallbackFile struct {
	File  string `yaml:"file"`
	Text  string `yaml:"text"`
	Lang  string `yaml:"lang"`
	Brand string `yaml:"brand"`
}
