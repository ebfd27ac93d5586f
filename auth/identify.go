package auth

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// identity is what is known of the App's: what is configured, and what GitHub told.
func (d *directory) identity() identity {
	if told := d.told.Load(); told != nil {
		return *told
	}
	return identity{ID: d.ID, ClientID: d.ClientID}
}

// identify asks GitHub by what an App is called: docs.github.com "Get the
// authenticated app". What the configuration says stays.
func (d *directory) identify(ctx context.Context) identity {
	flight := "identity|" + d.prefix
	if d.told.Load() != nil || d.refusal(flight) != nil {
		return d.identity()
	}
	known, err := once(ctx, d.flights, flight, func(ctx context.Context) (identity, error) {
		var told identity
		call := apiCall{method: http.MethodGet, path: "/app", action: "ask for its ids"}
		if err := d.do(ctx, call, &told); err != nil {
			d.rememberRefusal(flight, err)
			d.log.Warn("GitHub does not say by what an App is called: the JWT of a program that has its other id is refused", "app", d.Name, "error", err)
			return identity{}, err
		}
		if d.ID != 0 {
			told.ID = d.ID
		}
		told.ClientID = cmp.Or(d.ClientID, told.ClientID)
		d.told.Store(&told)
		return told, nil
	})
	if err != nil {
		return d.identity()
	}
	return known
}

// appPath is that of an App's page: docs.github.com "Sharing your GitHub App". An
// Enterprise Server has its own.
var appPath = regexp.MustCompile(`^/(apps|github-apps|enterprises/[A-Za-z0-9_-]{1,100}/apps)/[A-Za-z0-9_-]{1,100}$`)

// installationPage is where the App is installed, "" if GitHub has not said.
func (d *directory) installationPage() string {
	u, err := url.Parse(d.identity().Page)
	if err != nil || u.Scheme != "https" || !strings.EqualFold(u.Host, string(d.Instance)) || u.RawQuery != "" || !appPath.MatchString(u.Path) {
		return "" // it is printed, to be clicked on
	}
	return "https://" + string(d.Instance) + u.Path + "/installations/new"
}
