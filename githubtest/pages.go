package githubtest

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// page answers with one page of all, and a Link header that leads from path, on the
// API host, to the others:
// https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api.
// wrap, if not nil, puts the items into an object.
func (c *call) page(all []any, path string, wrap func([]any) any) reply {
	query := c.r.URL.Query()
	size := atLeast(query.Get("per_page"), 30)
	size = min(size, 100)
	page := atLeast(query.Get("page"), 1)
	last := max(1, (len(all)+size-1)/size)
	from := min((page-1)*size, len(all))
	items := append([]any{}, all[from:min(from+size, len(all))]...)
	var rep reply
	if wrap != nil {
		rep = ok(wrap(items))
	} else {
		rep = ok(items)
	}
	if last > 1 {
		rep = rep.with("Link", links(c.in.api+path, query, page, last))
	}
	return rep
}

func atLeast(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil && n >= 1 {
		return n
	}
	return otherwise
}

func links(base string, query url.Values, page, last int) string {
	var out []string
	add := func(rel string, n int) {
		query.Set("page", strconv.Itoa(n))
		out = append(out, fmt.Sprintf("<%s?%s>; rel=%q", base, query.Encode(), rel))
	}
	if page > 1 {
		add("prev", page-1)
	}
	if page < last {
		add("next", page+1)
		add("last", last)
	}
	if page > 1 {
		add("first", 1)
	}
	return strings.Join(out, ", ")
}

// repoPath is the path of Link headers: it names the repository by id.
func (c *call) repoPath(suffix string) string {
	return fmt.Sprintf("/repositories/%d%s", c.repo.id, suffix)
}
