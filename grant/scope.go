package grant

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseScope reads caveats as the scope of an OAuth request has them (RFC 6749, section
// 3.3): words between spaces, each a key of the caveats, a colon and a value, one of a
// list at a time; read_only is without one. ttl is for how long.
//
//	repositories:acme/widgets push:refs/heads/task-42/** permissions:contents=read ttl:10m
func ParseScope(scope string, now time.Time) (c Caveats, err error) {
	for _, word := range strings.Fields(scope) {
		key, value, given := strings.Cut(word, ":")
		if given == (key == "read_only") || given && value == "" {
			return c, fmt.Errorf("%.100q is not KEY:VALUE", word)
		}
		if err := c.add(key, value, now); err != nil {
			return c, err
		}
	}
	return c, c.check()
}

func (c *Caveats) add(key, value string, now time.Time) (err error) {
	lists := map[string]*[]string{
		"owners": &c.Owners, "repositories": &c.Repositories, "operations": &c.Operations, "push": &c.Push, "delete_refs": &c.DeleteRefs, "networks": &c.Networks,
	}
	if list := lists[key]; list != nil {
		*list = append(*list, value)
		return nil
	}
	switch key {
	case "read_only":
		c.ReadOnly = true
	case "permissions":
		name, level, _ := strings.Cut(value, "=")
		if c.Permissions == nil {
			c.Permissions = make(map[string]string)
		}
		c.Permissions[name] = level
	case "requests_per_minute":
		if c.RequestsPerMinute, err = strconv.Atoi(value); err != nil || c.RequestsPerMinute < 1 {
			return errors.New("requests_per_minute: not a number of requests")
		}
	case "ttl":
		lasts, err := time.ParseDuration(value)
		if err != nil || lasts < time.Second || lasts > MaxLifetime {
			return errors.New("ttl: not a time as 10m")
		}
		c.Expires = now.Add(lasts).Unix()
	default:
		return fmt.Errorf("%.100q is no limit that is known here", key)
	}
	return nil
}
