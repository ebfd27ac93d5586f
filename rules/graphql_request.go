package rules

import "ghapp-proxy/strictjson"

// graphqlRequest is the body of a GraphQL request.
type graphqlRequest struct {
	query         string
	operationName string         // "" if there is none
	variables     map[string]any // values as strictjson returns them
}

// readGraphQL decodes a body.
func readGraphQL(body []byte) (graphqlRequest, error) {
	var request graphqlRequest
	if len(body) > MaxGraphQL {
		return request, graphqlErrorf("the body is larger than %d bytes", MaxGraphQL)
	}
	value, err := strictjson.Read(body)
	if err != nil {
		return request, graphqlErrorf("the body %v", err)
	}
	object, ok := value.(strictjson.Object)
	if !ok {
		return request, graphqlErrorf("the body is not a JSON object")
	}
	for _, m := range object {
		if err := request.set(m.Key, m.Value); err != nil {
			return request, err
		}
	}
	if request.query == "" {
		return request, graphqlErrorf("the body has no query")
	}
	return request, nil
}

// set fills in a member of the body. null stands for a member that is absent.
func (r *graphqlRequest) set(key string, value any) error {
	ok := true
	switch key {
	case "query":
		r.query, ok = value.(string)
	case "operationName":
		r.operationName, ok = value.(string)
	case "variables":
		var object strictjson.Object
		object, ok = value.(strictjson.Object)
		r.variables = make(map[string]any, len(object))
		for _, m := range object {
			r.variables[m.Key] = m.Value
		}
	case "extensions":
		_, ok = value.(strictjson.Object)
	default:
		return graphqlErrorf("the body has the unknown key %s", excerpt(key))
	}
	if !ok && value != nil {
		return graphqlErrorf("the value of %s has the wrong type", key)
	}
	return nil
}
