package xoxzotest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// placeholder is a name in braces.
var placeholder = regexp.MustCompile(`\{(\w+)\}`)

// Template is a text with placeholders, {name}. One with Pending alone must not be sent.
type Template struct {
	ID                      int
	Name, Approved, Pending string
}

// firstTemplates are those of the documented answer (docs.xoxzo.com/en/smstemplates).
func firstTemplates() []Template {
	return []Template{
		{ID: 6, Name: "Welcome SMS", Approved: "Hi {name}! This is your discount {order_number}"},
		{ID: 7, Name: "Welcome 2", Pending: "Variables must {name}"},
	}
}

// AddTemplate adds a template to the account. Templates 6 (approved: {name}, {order_number}) and 7 (pending) are there from
// the start.
func (s *Server) AddTemplate(t Template) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.templates = append(s.templates, t)
}

func (s *Server) showTemplates(action) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []view{}
	for _, t := range s.templates {
		v := view{
			"id": t.ID, "name": t.Name, "approved_content": nil, "pending_content": nil,
			"status": "PENDING", "api_usage_example": nil,
		}
		if t.Pending != "" {
			v["pending_content"] = t.Pending
		}
		if t.Approved != "" {
			v["approved_content"], v["status"] = t.Approved, "APPROVED"
			v["api_usage_example"] = "curl -u sid:token -X POST " + s.URL + "/sms/templates/<template_id>/messages/"
		}
		list = append(list, v)
	}
	return answer{status: http.StatusOK, body: list}
}

// checkTemplate returns what is wrong with a message from a template, as far as it can be seen without the template.
func checkTemplate(form url.Values) complaints {
	bad := checkForm(form, "sender", "recipient", "variables", "callbackurl", "tags")
	checkRecipient(form, bad)
	checkSender(form, bad)
	if !form.Has("variables") {
		bad.add("variables", required)
	}
	return bad
}

// sendTemplate fills the template and sends the result.
func (s *Server) sendTemplate(act action) answer {
	s.mu.Lock()
	i := slices.IndexFunc(s.templates, func(t Template) bool { return fmt.Sprint(t.ID) == act.id })
	var t Template
	if i >= 0 {
		t = s.templates[i]
	}
	s.mu.Unlock()
	switch {
	case i < 0:
		return detail(http.StatusNotFound, "Not found.")
	case t.Approved == "":
		return answer{status: http.StatusBadRequest, body: complaints{"non_field_errors": {"The template is not approved."}}}
	}
	text, problem := fill(t.Approved, act.form.Get("variables"))
	if problem != "" {
		return answer{status: http.StatusBadRequest, body: complaints{"variables": {problem}}}
	}
	form := url.Values{"message": {text}}
	for _, name := range []string{"sender", "recipient", "callbackurl", "tags"} {
		if act.form.Has(name) {
			form.Set(name, act.form.Get(name))
		}
	}
	return s.place(action{op: OpSend, form: form})
}

// fill puts the variables, a JSON object of texts, in their places. Each must have one, and each place its text.
func fill(content, variables string) (text, problem string) {
	var values map[string]string
	if err := json.Unmarshal([]byte(variables), &values); err != nil || values == nil {
		return "", "A JSON object of texts is required."
	}
	used := map[string]bool{}
	text = placeholder.ReplaceAllStringFunc(content, func(place string) string {
		name := strings.Trim(place, "{}")
		used[name] = true
		if strings.TrimSpace(values[name]) == "" {
			problem = "A placeholder of the template has no text."
		}
		return values[name]
	})
	if problem == "" && len(used) != len(values) {
		problem = "The template has no such placeholder."
	}
	return text, problem
}
