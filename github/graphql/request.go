package graphql

import "ghapp-proxy/strictjson"

// request is the body of a GraphQL request.
type request struct {
	query         string
	operationName string // "" if there is none
	variables     strictjson.Object
}

// readRequest decodes a body.
func readRequest(body []byte) (request, error) {
	var r request
	if len(body) > MaxBody {
		return r, errorf("the body is larger than %d bytes", MaxBody)
	}
	value, err := strictjson.Read(body)
	if err != nil {
		return r, errorf("the body %v", err)
	}
	object, ok := value.(strictjson.Object)
	if !ok {
		return r, errorf("the body is not a JSON object")
	}
	for _, m := range object {
		if err := r.set(m.Key, m.Value); err != nil {
			return r, err
		}
	}
	if r.query == "" {
		return r, errorf("the body has no query")
	}
	return r, nil
}

// set fills in a member of the body. null stands for a member that is absent.
func (r *request) set(key string, value any) error {
	ok := true
	switch key {
	case "query":
		r.query, ok = value.(string)
	case "operationName":
		r.operationName, ok = value.(string)
	case "variables":
		r.variables, ok = value.(strictjson.Object)
	case "extensions":
		_, ok = value.(strictjson.Object)
	default:
		return errorf("the body has the unknown key %s", excerpt(key))
	}
	if !ok && value != nil {
		return errorf("the value of %s has the wrong type", key)
	}
	return nil
}
