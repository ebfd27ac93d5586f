package sandbox

import (
	"encoding/json"
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Exit statuses of env(1).
const (
	statusFailed    = 125
	statusCannotRun = 126
	statusNotFound  = 127
)

// reply is what the first process of a sandbox says, a line of JSON each time.
type reply struct {
	Doing, Fault, Remedy string
	Status               int  // that comes of the fault
	Stopped              bool // the command was stopped by a signal
}

func (r reply) failed() bool { return r.Fault != "" }

func (r reply) err() error {
	if r.Doing == "" { // it is the command's, not ours
		return errors.New(r.Fault)
	}
	return &Error{r.Doing, errors.New(r.Fault), r.Remedy}
}

// replyOf is what to say of an error.
func replyOf(err error) reply {
	if own, ok := errors.AsType[*Error](err); ok {
		return reply{Doing: own.Doing, Fault: own.Err.Error(), Remedy: own.Remedy, Status: statusFailed}
	}
	if start, ok := errors.AsType[*startError](err); ok {
		return reply{Fault: start.Error(), Status: start.status}
	}
	return reply{Doing: "prepare", Fault: err.Error(), Status: statusFailed}
}

// maxFiles is how many descriptors come at once; SCM_MAX_FD of the kernel is 253.
const maxFiles = 250

// receiveFiles reads one reply, which fits into a packet, and the descriptors with it.
func receiveFiles(conn *net.UnixConn, said *reply) (files []*os.File, err error) {
	text, oob := make([]byte, 1<<14), make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, _, _, err := conn.ReadMsgUnix(text, oob)
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m) // ReadMsgUnix has set FD_CLOEXEC
		if err != nil {
			continue
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "sandbox"))
		}
	}
	if n == 0 {
		return files, errors.New("it ended before it said anything")
	}
	return files, json.Unmarshal(text[:n], said)
}

// sendFiles writes an empty reply with descriptors.
func sendFiles(conn *net.UnixConn, fds []int) error {
	text, err := json.Marshal(reply{})
	if err != nil {
		return err
	}
	_, _, err = conn.WriteMsgUnix(append(text, '\n'), unix.UnixRights(fds...), nil)
	return err
}
