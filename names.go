package licensing

import (
	"strings"

	"github.com/graphlicensing/licensing/internal/graph"
)

// learn notes that an object goes by the id and the name in an answer about it, and
// by what it was asked for by, whose key is asked. What is learned decides who
// waits for whom, and never where a request goes. It returns the object's key.
func (c *Client) learn(asked string, o graph.Object, id, name string) (key string) {
	key = asked
	if o.IsGroup() || graph.User(id).GUID() == "" { // a group has no other name
		return key
	}
	if o.GUID() == "" {
		key = graph.User(id).Key()
		c.recent.join(asked, key)
	}
	of := graph.User(name)
	if name == "" || of.GUID() != "" || strings.EqualFold(name, o.Name()) {
		return key
	}
	var byName, byID [128]byte // on the stack: nearly always nothing is new
	if !c.recent.turns.Joined(of.AppendKey(byName[:0]), append(byID[:0], key...)) {
		c.recent.join(of.Key(), key)
	}
	return key
}
