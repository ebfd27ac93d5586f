// Package governor holds requests to GitHub's API back until its limits allow them.
//
//	g := governor.New(governor.Default)
//	bucket := g.Bucket(false, known) // for each installation, and each App
//	…
//	ticket, err := bucket.Admit(ctx, governor.Request{Class: governor.Read, Client: "ci"})
//	if err != nil {
//		return err // a *governor.Refusal, or ctx's
//	}
//	resp, err := send(req)
//	ticket.Done(governor.Answer{Status: resp.StatusCode, Fields: resp.Header})
//
// Secondary limits are counted here: requests at once, points and content made in a minute or an hour, tokens minted. Of primary
// limits GitHub's answers tell, which are Known elsewhere; what is under way is taken off. After Retry-After nothing leaves.
//
// Whoever has to wait stands in a line, one for each client and Class. Whose turn it is, is who has had the fewest points by
// its weight since somebody had to wait; of one client, who came first. Nobody passes another who waits for the same limit,
// but what makes content waits without holding up who only reads. For those who wait for the pause between changes, what they take
// is kept.
//
// # Limitations
//
// GitHub does not say how it counts: a window here is any sixty seconds, and half a second more. Requests that GitHub counts
// beside the proxy's, of other processes that do not tell (Told) and in the browser, are not known. Nor is how many points a GraphQL query costs of the
// primary limit. CPU time, by which GitHub limits too, is not counted.
package governor
