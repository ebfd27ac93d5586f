package decide

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/github"
	"ghapp-proxy/rules"
)

// maxForm is the largest form, in bytes, in which another method is looked for.
const maxForm = 1 << 20

// readBody looks into the body of a request that somebody limits, where it may
// lead the operation to others than the path names, or make it another one. The
// body is put back as it was.
func (d *decision) readBody() *answer.Refusal {
	if len(d.Rules.Rules) == 0 && !d.Client.Limited() {
		return nil
	}
	if d.mayOverride() {
		if refused := d.checkOverride(); refused != nil {
			return refused
		}
	}
	if d.in.Length != 0 && d.Route.ReadsQuery() {
		d.Route.Unclear = true // Rack takes the parameters of a form for those of the query
	}
	if d.in.Length == 0 || !d.Route.NamesInBody() {
		return nil
	}
	var text []byte
	if len(d.in.Header["Content-Encoding"]) == 0 && isJSON(d.in.Header["Content-Type"]) {
		var refused *answer.Refusal
		if text, refused = d.body(rules.MaxBodyNames); refused != nil {
			return refused
		}
	}
	d.Route.SetBody(text)
	return nil
}

// mayOverride reports whether a server in the manner of Rack might take the
// method from a form: a POST whose body is one, or has no type
// (Rack::MethodOverride, and Rack::Request#form_data?).
func (d *decision) mayOverride() bool {
	if d.in.Method != http.MethodPost || d.Route.Form != answer.JSON || d.in.Host.Service == github.Uploads {
		return false
	}
	if asksForMethod(d.in.Query) || len(d.in.Header["Content-Type"]) != 1 {
		return true
	}
	media, _, err := mime.ParseMediaType(d.in.Header["Content-Type"][0])
	return err != nil || media == "application/x-www-form-urlencoded" || strings.HasPrefix(media, "multipart/")
}

var unreadForm = answer.Define(answer.Kind{
	Status: http.StatusBadRequest, Code: answer.RequestError,
	Title:  "a form that is compressed or larger than 1 MiB might ask for another method than the request's",
	Remedy: sendJSON,
})

var overridingForm = answer.Define(answer.Kind{
	Status: http.StatusBadRequest, Code: answer.RequestError,
	Title:  "the form's field _method asks for another method than the request's",
	Remedy: sendJSON,
})

const sendJSON = "send JSON, with Content-Type: application/json"

// checkOverride refuses a form, or a query, that asks for another method.
func (d *decision) checkOverride() *answer.Refusal {
	var text []byte
	if len(d.in.Header["Content-Encoding"]) == 0 {
		var refused *answer.Refusal
		if text, refused = d.body(maxForm); refused != nil {
			return refused
		}
	}
	switch {
	case text == nil:
		return unreadForm.Refuse()
	case asksForMethod(d.in.Query), asksForMethod(string(text)), isMultipart(d.in.Header) && bytes.Contains(text, []byte("_method")):
		return overridingForm.Refuse()
	}
	return nil
}

func isMultipart(h http.Header) bool {
	return strings.Contains(strings.ToLower(strings.Join(h["Content-Type"], ",")), "multipart")
}

// asksForMethod reports whether a form, or a query, has the field _method.
func asksForMethod(form string) bool {
	for pair := range strings.FieldsFuncSeq(form, func(c rune) bool { return c == '?' || c == '&' || c == ';' }) {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if name = strings.TrimSpace(name); name == "_method" || strings.HasPrefix(name, "_method[") {
			return true
		}
	}
	return false
}
