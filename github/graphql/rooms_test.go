package graphql_test

import (
	"testing"

	"ghapp-proxy/internal/roomstest"
)

func TestRooms(t *testing.T) { roomstest.Check(t, ".") }
