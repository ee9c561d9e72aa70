package client

import (
	"context"
)

// Settings are what a service can be told. The zero value of a field asks for
// its default.
type Settings struct {
	Name  string `json:"name"`            // a label for you
	Brand string `json:"brand,omitempty"` // who calls; at most 40 letters
	// Domain is the host name of the page where the code is typed, for text
	// messages that phones fill in there only.
	Domain          string   `json:"domain,omitempty"`
	CodeLength      int      `json:"code_length,omitempty"`      // digits, 4 to 10
	ValiditySeconds int      `json:"validity_seconds,omitempty"` // 120 to 600
	MaxGuesses      int      `json:"max_guesses,omitempty"`      // 1 to 10
	MaxSends        int      `json:"max_sends,omitempty"`        // 1 to 10
	Language        string   `json:"language,omitempty"`         // BCP 47
	Gate            string   `json:"gate,omitempty"`             // any_key, screen_digits or none
	GatePolicy      string   `json:"gate_policy,omitempty"`      // require or prefer
	Workflow        []Step   `json:"workflow,omitempty"`
	Countries       []string `json:"countries,omitempty"` // ISO 3166 alpha-2; none: all of the server's
	PlainDigits     bool     `json:"plain_digits,omitempty"`
}

// Service is an account's settings for one product, defaults filled in.
type Service struct {
	ID      string `json:"id"`
	Default bool   `json:"default"` // used where a start names no service
	Settings
	Templates []string `json:"templates"` // languages for which it has its own words
}

// Template is a service's own words in one language.
type Template struct {
	Lang string `json:"lang,omitempty"` // BCP 47
	// Phrases of the call, by name; the server's are said for the others.
	Phrases map[string]string `json:"phrases,omitempty"`
	SMS     string            `json:"sms,omitempty"` // a whole message, with {{code}} once
}

// Services lists the services, the default one first. The methods on services,
// templates, keys, the log and records need a key with the scope admin; read is
// enough for showing services and statistics.
func (c *Client) Services(ctx context.Context) ([]Service, error) {
	type answer struct {
		Services []Service `json:"services"`
	}
	got, err := send[answer](ctx, c, get("list services", "v1", "services"))
	return got.Services, err
}

// Service shows a service.
func (c *Client) Service(ctx context.Context, id string) (Service, error) {
	return send[Service](ctx, c, get("get service", "v1", "services", id))
}

// NewService makes a service.
func (c *Client) NewService(ctx context.Context, s Settings, opts ...Option) (Service, error) {
	return send[Service](ctx, c, post("new service", s, opts, "v1", "services"))
}

// SetService replaces all settings of a service; its templates stay.
func (c *Client) SetService(ctx context.Context, id string, s Settings) (Service, error) {
	return send[Service](ctx, c, put("set service", s, "v1", "services", id))
}

// DeleteService deletes a service, and gives what it was. An *Error of status
// 404 may say that an earlier try did it, whose answer was lost; one of 409 that
// it is the default one, or has pending verifications.
func (c *Client) DeleteService(ctx context.Context, id string) (Service, error) {
	return send[Service](ctx, c, remove("delete service", "v1", "services", id))
}

// Template shows a service's own words in a language.
func (c *Client) Template(ctx context.Context, service, lang string) (Template, error) {
	return send[Template](ctx, c, get("get template", "v1", "services", service, "templates", lang))
}

// SetTemplate saves a service's own words in a language. What is wrong with them
// is in the Fields of an *Error of status 422, all of it at once.
func (c *Client) SetTemplate(ctx context.Context, service, lang string, t Template) (Template, error) {
	return send[Template](ctx, c, put("set template", t, "v1", "services", service, "templates", lang))
}

// DeleteTemplate lets the server's words be said again. An *Error of status 404
// may say that an earlier try did it.
func (c *Client) DeleteTemplate(ctx context.Context, service, lang string) (Service, error) {
	return send[Service](ctx, c, remove("delete template", "v1", "services", service, "templates", lang))
}
