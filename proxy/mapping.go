package proxy

import (
	"net/http"

	"ghapp-proxy/answer"
)

// wrongMapping looks whether GitHub refuses a request because the configuration
// gives its owner an installation on another account. Programs get GitHub's answer
// with a Proxy-Status that says so; git, which shows no field, gets it as the
// error that is returned, an *auth.MappingError.
func (x *exchange) wrongMapping(resp *http.Response) error {
	wrong := x.outgoing.Mapping
	if wrong == nil {
		return nil
	}
	if x.Route.Form == answer.Text {
		return wrong
	}
	resp.Header.Add("Proxy-Status", answer.Note(resp.StatusCode, wrong.Error()+"; "+wrong.Remedy(), x.id))
	return nil
}
