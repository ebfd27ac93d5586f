package decide

import (
	"mime"
	"net/http"

	"ghapp-proxy/answer"
	"ghapp-proxy/github/graphql"
)

// readDocument reads a GraphQL document. There is none in a body that is larger
// than graphql.MaxBody, compressed, or not understood.
func (d *decision) readDocument() *answer.Refusal {
	if d.Route.Operation != "graphql" {
		return nil
	}
	if denial := d.Client.DecideGraphQLRequest(d.in.Method, d.in.Query, d.in.Header); denial != nil {
		return Denied(denial)
	}
	if d.in.Method == http.MethodPost {
		var refused *answer.Refusal
		if d.Document, refused = d.parseDocument(); refused != nil {
			return refused
		}
	}
	d.Route.SetDocument(d.Document) // without one, a server might take it from elsewhere
	return nil
}

func (d *decision) parseDocument() (*graphql.Document, *answer.Refusal) {
	if len(d.in.Header["Content-Encoding"]) > 0 || d.in.Length > graphql.MaxBody {
		return nil, nil
	}
	text, refused := d.body(graphql.MaxBody)
	if text == nil || refused != nil {
		return nil, refused
	}
	document, err := d.effects.Documents.Read(text)
	if err != nil {
		return nil, nil // it is for GitHub to say
	}
	// A query string, or a form, might be merged with what was read here, and of
	// two types a server might take either.
	if d.in.Query != "" || !isJSON(d.in.Header["Content-Type"]) {
		document.Unclear = true
	}
	return &document, nil
}

// body is that of the request if it has at most so many bytes, else nil.
func (d *decision) body(most int64) ([]byte, *answer.Refusal) {
	if d.effects.Body == nil {
		return nil, nil
	}
	return d.effects.Body(most)
}

// isJSON reports whether a body is of JSON and nothing else.
func isJSON(contentType []string) bool {
	if len(contentType) != 1 {
		return false
	}
	media, _, err := mime.ParseMediaType(contentType[0])
	return err == nil && media == "application/json"
}
