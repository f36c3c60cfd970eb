package console_test

import (
	"context"

	"github.com/chromedp/cdproto/network"
)

func setCookie(ctx context.Context, name, value, url string) error {
	return network.SetCookie(name, value).WithURL(url).WithHTTPOnly(true).Do(ctx)
}
