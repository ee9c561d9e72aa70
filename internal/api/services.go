package api

import (
	"context"
	"net/http"
	"time"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/phone"
	"github.com/pincall/pincall/internal/script"
)

const (
	serviceCollection = "/v1/services"
	oneService        = serviceCollection + "/{id}"
)

// Settings are what a service can be told. What is left out has its default.
type Settings struct {
	Name            string   `json:"name" maxLength:"64" doc:"A label for you; nobody hears it. It goes into the audit log." example:"Shop"`
	Brand           string   `json:"brand,omitempty" doc:"Who calls, said in the greeting. At most 40 letters, no web address, no phone number. Without it the greeting names nobody." example:"Example Shop"`
	Domain          string   `json:"domain,omitempty" maxLength:"253" doc:"The host name of the page where the code is typed: a text message then ends with a line that lets phones fill the code in there only." example:"shop.example.com"`
	CodeLength      int      `json:"code_length,omitempty" minimum:"4" maximum:"10" doc:"Digits of a code. 6 unless given." example:"6"`
	ValiditySeconds int      `json:"validity_seconds,omitempty" minimum:"120" maximum:"600" doc:"How long a code counts, from the start. 600 unless given." example:"600"`
	MaxGuesses      int      `json:"max_guesses,omitempty" minimum:"1" maximum:"10" doc:"Wrong guesses until a verification ends. 5 unless given." example:"5"`
	MaxSends        int      `json:"max_sends,omitempty" minimum:"1" maximum:"10" doc:"Calls and messages for one verification. 5 unless given." example:"5"`
	Language        string   `json:"language,omitempty" doc:"The language to speak, as BCP 47 names it, where a start names none. Otherwise that of the number's country." example:"ja"`
	Gate            string   `json:"gate,omitempty" enum:"any_key,screen_digits,none" doc:"What must be keyed before the code is read, where a start says nothing. any_key unless given; screen_digits where a start says screen." example:"any_key"`
	GatePolicy      string   `json:"gate_policy,omitempty" enum:"require,prefer" doc:"On a route that takes no keys. require: the route is not used. prefer, the default: the code is read there without a gate, and the attempt is marked ungated." example:"prefer"`
	Workflow        []Step   `json:"workflow,omitempty" nullable:"false" maxItems:"5" doc:"The steps, one code throughout. One call unless given."`
	Countries       []string `json:"countries,omitempty" nullable:"false" maxItems:"300" doc:"Narrows the server's list of countries that may be called; ISO 3166 alpha-2 in capitals. All of the server's unless given." example:"[\"JP\",\"GB\"]"`
	PlainDigits     bool     `json:"plain_digits,omitempty" doc:"Say \"nine\" instead of \"number nine\". It is harder to hear on a bad line." example:"false"`
}

// Service is an account's settings for one product. What has a default is there
// with its value.
type Service struct {
	ID      string `json:"id" doc:"Names the service in a start." example:"01jd3c8t5w0zq4n7m2r9kx6yva"`
	Default bool   `json:"default" doc:"It is used where a start names no service, and cannot be deleted." example:"false"`
	Settings
	Templates []string `json:"templates" nullable:"false" doc:"The languages for which the service has its own words." example:"[\"en\"]"`
}

// Services is a list.
type Services struct {
	Services []Service `json:"services" nullable:"false" doc:"The default one first, then the others by age."`
}

// service gives what the directory keeps.
func (b Settings) service(id string) account.Service {
	out := account.Service{
		ID: id, Name: b.Name, Brand: b.Brand, Domain: b.Domain, CodeLength: b.CodeLength, Validity: time.Duration(b.ValiditySeconds) * time.Second,
		MaxGuesses: b.MaxGuesses, MaxSends: b.MaxSends, Language: b.Language, Gate: script.Gate(b.Gate),
		GatePolicy: account.GatePolicy(b.GatePolicy), Countries: b.Countries, PlainDigits: b.PlainDigits,
	}
	for _, s := range b.Workflow {
		out.Workflow = append(out.Workflow, account.Step{Channel: phone.Channel(s.Channel), Timeout: time.Duration(s.TimeoutSeconds) * time.Second})
	}
	return out
}

// showService gives a service its form in JSON.
func showService(s account.Service) Service {
	s = s.WithDefaults()
	out := Service{ID: s.ID, Default: s.Default, Templates: []string{}, Settings: Settings{
		Name: s.Name, Brand: s.Brand, Domain: s.Domain, CodeLength: s.CodeLength, ValiditySeconds: int(s.Validity / time.Second),
		MaxGuesses: s.MaxGuesses, MaxSends: s.MaxSends, Language: s.Language, Gate: string(s.Gate), GatePolicy: string(s.GatePolicy),
		Countries: s.Countries, PlainDigits: s.PlainDigits,
	}}
	for _, w := range s.Workflow {
		if w.Timeout == 0 {
			w.Timeout = account.DefaultStepTimeout
		}
		out.Workflow = append(out.Workflow, Step{Channel: string(w.Channel), TimeoutSeconds: int(w.Timeout / time.Second)})
	}
	for _, lang := range script.Languages() {
		if _, ok := s.Templates[lang]; ok {
			out.Templates = append(out.Templates, lang)
		}
	}
	return out
}

func encodeService(s account.Service) ([]byte, error) { return encode(showService(s)) }

// ServiceID is the input of an action on one service.
type ServiceID struct {
	Asked
	ID string `path:"id" doc:"The service." example:"default"`
}

// settingsInput is a request with settings.
type settingsInput struct {
	Asked
	Body Settings
}

// replaceInput is a request with settings for a service that is there.
type replaceInput struct {
	ServiceID
	Body Settings
}

// listServices: GET /v1/services.
func (s *server) listServices() {
	op := shown(about{"list_services", serviceCollection, tagServices, "List the services", "All services of the account."})
	add[Services](s, op, func(ctx context.Context, in *Asked) (answer, error) {
		list, err := s.clerk(*in).Services(ctx)
		out := Services{Services: make([]Service, 0, len(list))}
		for _, v := range list {
			out.Services = append(out.Services, showService(v))
		}
		return told(http.StatusOK, out, err, "account")
	})
}

// newService: POST /v1/services.
func (s *server) newService() {
	op := changed(http.MethodPost, shown(about{"new_service", serviceCollection, tagServices, "Make a service",
		"Its id is drawn by the server. Starts may name it at once."}))
	add[Service](s, op, func(ctx context.Context, in *settingsInput) (answer, error) {
		key, err := onceKey(in.request)
		if err != nil {
			return answer{}, err
		}
		once := account.Once{Key: key, Path: http.MethodPost + " " + serviceCollection, Body: in.request.Body, Encode: encodeService}
		made, replay, err := s.clerk(in.Asked).NewService(ctx, in.Body.service(""), once)
		if replay != nil {
			id, err := idOf(replay)
			return answer{status: http.StatusCreated, document: replay, replayed: true, location: serviceCollection + "/" + id}, err
		}
		out, err := told(http.StatusCreated, showService(made), err, "account")
		out.location = serviceCollection + "/" + made.ID
		return out, err
	})
}

// getService: GET /v1/services/{id}.
func (s *server) getService() {
	op := unknown(shown(about{"get_service", oneService, tagServices, "Show a service", "Its settings, defaults filled in."}))
	add[Service](s, op, func(ctx context.Context, in *ServiceID) (answer, error) {
		got, err := s.clerk(in.Asked).Service(ctx, in.ID)
		return told(http.StatusOK, showService(got), err, "service")
	})
}

// putService: PUT /v1/services/{id}.
func (s *server) putService() {
	op := unknown(changed(http.MethodPut, shown(about{"put_service", oneService, tagServices, "Replace a service's settings",
		"All of them: what is left out gets its default. Templates stay. Starts that follow use the new settings; a verification keeps " +
			"those of its start."})))
	add[Service](s, op, func(ctx context.Context, in *replaceInput) (answer, error) {
		got, err := s.clerk(in.Asked).SetService(ctx, in.Body.service(in.ID))
		return told(http.StatusOK, showService(got), err, "service")
	})
}

// deleteService: DELETE /v1/services/{id}.
func (s *server) deleteService() {
	op := unknown(changed(http.MethodDelete, shown(about{"delete_service", oneService, tagServices, "Delete a service",
		"With its templates; the answer is what it was. A 409 while it has pending verifications, and for the default service."})))
	op.errs = append(op.errs, http.StatusConflict)
	add[Service](s, op, func(ctx context.Context, in *ServiceID) (answer, error) {
		got, err := s.clerk(in.Asked).DeleteService(ctx, in.ID)
		return told(http.StatusOK, showService(got), err, "service")
	})
}
