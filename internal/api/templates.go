package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/pincall/pincall/internal/account"
	"github.com/pincall/pincall/internal/edge"
	"github.com/pincall/pincall/internal/script"
)

const oneTemplate = oneService + "/templates/{lang}"

// Template is a service's own words in one language.
type Template struct {
	Lang    string            `json:"lang,omitempty" doc:"That of the address, or left out." example:"en"`
	Phrases map[string]string `json:"phrases,omitempty" doc:"Phrases of the call, by name; ours are said for the others. A phrase holds each of its placeholders once: greeting {brand}, greeting_plain, payment {amount} {payee}, payment_amount {amount}, payment_payee {payee}, gate_any_key, gate_screen_digits, warning, code, repeat, once_more, menu {again} {report}, bye." example:"{\"greeting\":\"Good day. {brand} is calling.\"}"`
	SMS     string            `json:"sms,omitempty" doc:"A whole text message: {{code}} once; {{brand}} and {{minutes}} as often as wanted. Ours unless given." example:"{{brand}} code: {{code}} (for {{minutes}})"`
}

// TemplateID is the input of an action on one template.
type TemplateID struct {
	ServiceID
	Lang string `path:"lang" doc:"The language, as BCP 47 names it." example:"en"`
}

// templateInput is a request with a template.
type templateInput struct {
	TemplateID
	Body Template
}

// getTemplate: GET /v1/services/{id}/templates/{lang}.
func (s *server) getTemplate() {
	op := unknown(shown(about{"get_template", oneTemplate, tagServices, "Show a template", "The service's own words in a language, where it has any."}))
	add[Template](s, op, func(ctx context.Context, in *TemplateID) (answer, error) {
		got, err := s.clerk(in.Asked).Service(ctx, in.ID)
		t, ok := got.Templates[matched(in.Lang)]
		if err == nil && !ok {
			err = account.ErrNotFound
		}
		return told(http.StatusOK, showTemplate(t), err, "template")
	})
}

// putTemplate: PUT /v1/services/{id}/templates/{lang}.
func (s *server) putTemplate() {
	op := unknown(changed(http.MethodPut, shown(about{"put_template", oneTemplate, tagServices, "Save a template",
		"The words are judged: the warning must warn, nothing may pass for a code, the code must be heard twice in time. A 422 lists " +
			"every place and the reason. Calls that are composed from then on use them."})))
	add[Template](s, op, func(ctx context.Context, in *templateInput) (answer, error) {
		clerk := s.clerk(in.Asked)
		if _, err := clerk.Service(ctx, in.ID); err != nil { // before any word of the template's
			return answer{}, refused(err, "template")
		}
		t, err := judgeTemplate(in.Lang, in.request.Body)
		if err != nil {
			return answer{}, err
		}
		got, err := clerk.PutTemplate(ctx, in.ID, t)
		return told(http.StatusOK, showTemplate(got.Templates[t.Lang]), err, "template")
	})
}

// judgeTemplate reads a template and has it linted; all faults are told at once.
// What a fault repeats is no more than the name of a phrase.
func judgeTemplate(lang string, body []byte) (script.Template, error) {
	out := &edge.Invalid{}
	fault := func(location, reason string) {
		out.Errors = append(out.Errors, edge.FieldError{Message: reason, Location: location})
	}
	if matched(lang) == "" {
		fault("path.lang", "want one of "+strings.Join(script.Languages(), ", ")+": a template is for a language, not for a region")
		return script.Template{}, out
	}
	t, err := script.ParseTemplate(lang, body)
	if err != nil {
		fault("body", err.Error())
		return t, out
	}
	for _, p := range script.LintTemplate(t) {
		switch _, phrase := t.Phrases[p.Place]; {
		case phrase:
			fault("body.phrases."+p.Place, p.Reason)
		case p.Place == "sms":
			fault("body.sms", p.Reason)
		default: // a place in what was composed
			fault("body", p.Place+": "+p.Reason)
		}
	}
	if len(out.Errors) > 0 {
		return t, out
	}
	return t, nil
}

// deleteTemplate: DELETE /v1/services/{id}/templates/{lang}.
func (s *server) deleteTemplate() {
	op := unknown(changed(http.MethodDelete, shown(about{"delete_template", oneTemplate, tagServices, "Delete a template",
		"Our own words are said again. The answer is the service."})))
	add[Service](s, op, func(ctx context.Context, in *TemplateID) (answer, error) {
		got, err := s.clerk(in.Asked).DeleteTemplate(ctx, in.ID, matched(in.Lang))
		return told(http.StatusOK, showService(got), err, "template")
	})
}

// matched is the language of a tag; a region's, or an unknown one, has no
// template.
func matched(tag string) string {
	if !slices.Contains(script.Languages(), tag) {
		return ""
	}
	return tag
}

func showTemplate(t script.Template) Template {
	return Template{Lang: t.Lang, Phrases: t.Phrases, SMS: t.SMS}
}
