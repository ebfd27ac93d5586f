package auth

import "context"

// surveyPages bounds how many installations of an App are looked up in advance, a
// hundred a page.
const surveyPages = 10

// Survey asks in the background where the Apps are installed, so that the first
// request about an owner needs no look-up: an owner of which nothing is known costs
// two round trips to GitHub, one for the look-up and one for the mint. What it
// does not find is looked up as ever.
func (s *Source) Survey() {
	for _, apps := range s.apps {
		for _, app := range apps {
			if !app.NoDiscovery {
				s.spawn(func() { s.survey(s.lifetime, app) })
			}
		}
	}
}

func (s *Source) survey(ctx context.Context, app *appState) {
	if _, err := s.walkInstallations(ctx, app, surveyPages); err != nil && ctx.Err() == nil {
		s.log.Warn("GitHub does not say where an App is installed", "app", app.Name, "error", err)
	}
}
