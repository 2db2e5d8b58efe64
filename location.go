package licensing

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"
)

// SetUsageLocation sets the country that a user uses services in, which a user
// needs before a licence can be assigned directly.
//
// The user is an object id or a user principal name, the country code two
// letters of ISO 3166, such as "DE". Graph takes a while to notice the new
// location: for a minute after, assignments of this client to the same user,
// addressed in the same way, wait for that instead of failing.
//
// Permission: User.ReadWrite.All, delegated or application.
//
// Errors: [ErrInvalidArgument] (nothing was sent), [ErrProxyAddressConflict]
// (a mail address of the user is in use twice, which such a write runs into),
// [ErrNotFound], [ErrForbidden], [ErrThrottled], [ErrOutcomeUnknown] (in doubt).
//
// Graph: https://learn.microsoft.com/graph/api/user-update
func (c *Client) SetUsageLocation(ctx context.Context, user, countryCode string) error {
	call, err := c.newLocation(ctx, user, countryCode)
	_, err = finish[*User](ctx, call, err)
	return err
}

// newLocation returns the call that sets a usage location.
func (c *Client) newLocation(ctx context.Context, user, countryCode string) (*call, error) {
	const op = "set usage location"
	country := strings.ToUpper(countryCode)
	if len(countryCode) != 2 || !slices.Contains(strings.Fields(countries), country) {
		return nil, invalid(op, "countryCode is not one of ISO 3166 alpha-2")
	}
	call, err := c.newCall(ctx, op, userObject(user), http.MethodPatch, "", []byte(`{"usageLocation":"`+country+`"}`), new(User))
	if err != nil {
		return nil, err
	}
	call.locates = true
	return call, nil
}

// awaitLocation sends the call again while it is refused for a usage location
// that this client has only just set.
func (c *call) awaitLocation(ctx context.Context, err error) error {
	// Not sold there is the other refusal of this kind, and stays so.
	unnoticed := func() bool {
		return strings.Contains(strings.ToLower(c.last.problem.message), "invalid usage location")
	}
	for wait := time.Second; errors.Is(err, ErrUsageLocation) && unnoticed() && c.tries > 1; wait = min(wait+wait/2, 5*time.Second) {
		wait = min(wait, c.client.recent.locationLeft(c.key))
		if wait <= 0 || wait >= c.left(ctx) {
			return err
		}
		c.idle()
		if sleep(ctx, wait) != nil {
			c.last.err = contextError(ctx)
			return c.failure()
		}
		err = c.send(ctx)
	}
	return err
}

// countries are the codes of ISO 3166 alpha-2, and XK for Kosovo.
const countries = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ " +
	"CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR " +
	"GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP " +
	"KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ " +
	"NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ " +
	"TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW"
