package admin

import "time"

// State is how the proxy is at one moment. There is no secret in it.
type State struct {
	Apps    []App    // in the order of the configuration
	GitHubs []GitHub // the instances of the Apps
	Reload  Reload
	// Draining says that the proxy is about to end.
	Draining bool
}

// App is what is known of a GitHub App.
type App struct {
	Name, Host string
	Checked    time.Time // when GitHub was last asked with its key, zero for never
	Problem    string    // why there is no credential of it, "" for none
	Remedy     string
}

// GitHub is what is known of a GitHub instance.
type GitHub struct {
	Host    string
	Reached time.Time // when it answered last, zero for never
	Missed  time.Time // when it could not be asked last, zero for never
	Problem string    // why it could not be asked then
}

// Reload is what became of the configuration.
type Reload struct {
	Read     int       // how often it was put in force, the start included
	Since    time.Time // when the one in force was
	Failures int       // how often what was read was wrong
	Problem  string    // what was wrong with what was read last, "" if that is in force
	Restart  []string  // keys that wait for a restart
}
