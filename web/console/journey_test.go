package console_test

import (
	"testing"
)

func TestInABrowserFromTheFirstVisitToTheFirstCaller(t *testing.T) {
	s := newSite(t)
	b := s.browser(t)
	b.open("/")
	b.sees("Welcome")
	b.accessible("first visit")
	b.picture("first-visit")
	b.signIn()
	b.sees("Connect your first external service")
	b.accessible("empty overview")
	b.picture("empty")

	b.click("Add an integration")
	b.fill("account", "acme")
	b.fill("region", "GB")
	b.fill("time_zone", "Europe/London")
	b.fill("bridge", s.bridge.url())
	b.fill("auth-0-value", "agent")
	b.fill("auth-1-value", "wrong")
	b.click("Test the connection")
	b.sees("credentials")
	b.fill("auth-1-value", "s3cret")
	b.click("Test the connection")
	b.sees("The connection works")
	b.accessible("add an integration")
	b.picture("add")

	held := s.bridge.hold()
	b.click("Save and start")
	b.sees("The integration was added")
	held <- struct{}{}
	held <- struct{}{}
	b.sees("run under way")
	b.sees("40")
	b.accessible("a run under way")
	b.picture("run")
	s.bridge.release()
	b.sees("Up to date")
	b.sees("Complete")
	b.accessible("an integration")
	b.picture("integration-first")
	b.quiet()
}
