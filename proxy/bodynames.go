package proxy

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"ghapp-proxy/answer"
	"ghapp-proxy/policy"
	"ghapp-proxy/rules"
)

// maxForm is the largest form, in bytes, in which another method is looked for.
const maxForm = 1 << 20

// readBody looks into the body of a request that somebody limits, where it may
// lead the operation to others than the path names, or make it another one. The
// body is put back as it was.
func (x *exchange) readBody(r *http.Request) *answer.Refusal {
	if len(x.now.Rules.Rules) == 0 && !x.session.client.Limited() {
		return nil
	}
	if mayOverride(r, x) {
		if refused := x.checkOverride(r); refused != nil {
			return refused
		}
	}
	if r.ContentLength != 0 && x.route.ReadsQuery() {
		x.route.Unclear = true // Rack takes the parameters of a form for those of the query
	}
	if r.ContentLength == 0 || !x.route.NamesInBody() {
		return nil
	}
	var text []byte
	if len(r.Header["Content-Encoding"]) == 0 && isJSON(r.Header["Content-Type"]) {
		var refused *answer.Refusal
		if text, refused = x.peek(r, rules.MaxBodyNames); refused != nil {
			return refused
		}
	}
	x.route.SetBody(text)
	return nil
}

// denyByPath says why a request is refused by what its path names, whatever is in
// its body, for which that refusal does not wait; nil where that cannot be told. A
// body can only name more.
func (x *exchange) denyByPath(req rules.Request) *policy.Denial {
	client := x.session.client
	if x.route.Owner == "" || x.route.Operation == "graphql" || !client.Limited() {
		return nil
	}
	plain, ruled := x.route, x.route
	if client.Decide(req, &plain, nil) == nil {
		return nil
	}
	x.now.Rules.Decide(req, &ruled) // which may choose another credential
	if ruled.Refused != "" {
		return nil
	}
	return client.Decide(req, &ruled, nil)
}

// peek reads a body and puts it back. It returns nil for one that is larger.
func (x *exchange) peek(r *http.Request, most int64) ([]byte, *answer.Refusal) {
	text, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if unread, ok := errors.AsType[*bodyError](err); ok {
		return nil, unread.refusal(x.session.usage)
	}
	if err != nil {
		return nil, unreadBody.Refuse(err)
	}
	r.Body = replayed{io.MultiReader(bytes.NewReader(text), r.Body), r.Body}
	if int64(len(text)) > most {
		return nil, nil
	}
	return text, nil
}

// mayOverride reports whether a server in the manner of Rack might take the
// method from a form: a POST whose body is one, or has no type
// (Rack::MethodOverride, and Rack::Request#form_data?).
func mayOverride(r *http.Request, x *exchange) bool {
	if r.Method != http.MethodPost || x.route.Form != answer.JSON || x.session.host.Service == rules.Uploads {
		return false
	}
	if asksForMethod(x.query) || len(r.Header["Content-Type"]) != 1 {
		return true
	}
	media, _, err := mime.ParseMediaType(r.Header["Content-Type"][0])
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
func (x *exchange) checkOverride(r *http.Request) *answer.Refusal {
	var text []byte
	if len(r.Header["Content-Encoding"]) == 0 {
		var refused *answer.Refusal
		if text, refused = x.peek(r, maxForm); refused != nil {
			return refused
		}
	}
	switch {
	case text == nil:
		return unreadForm.Refuse()
	case asksForMethod(x.query), asksForMethod(string(text)), isMultipart(r) && bytes.Contains(text, []byte("_method")):
		return overridingForm.Refuse()
	}
	return nil
}

func isMultipart(r *http.Request) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header["Content-Type"], ",")), "multipart")
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
