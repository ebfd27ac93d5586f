package graphql

import (
	"fmt"
	"strings"

	"ghapp-proxy/github"
)

// brief describes subjects: "acme/widgets acme enterprise:e repository:1".
func brief(subjects ...github.Account) string {
	var out []string
	for _, s := range subjects {
		switch {
		case s.Repo != "":
			out = append(out, s.Login+"/"+s.Repo)
		case s.Enterprise:
			out = append(out, "enterprise:"+s.Login)
		case s.Login != "":
			out = append(out, s.Login)
		case s.RepositoryID != 0:
			out = append(out, fmt.Sprintf("repository:%d", s.RepositoryID))
		case s.AccountID != 0:
			out = append(out, fmt.Sprintf("account:%d", s.AccountID))
		default:
			out = append(out, fmt.Sprintf("%+v", s))
		}
	}
	return strings.Join(out, " ")
}
