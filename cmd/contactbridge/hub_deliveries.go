package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/contactbridge/contactbridge/failure"
	"github.com/contactbridge/contactbridge/hub"
	"github.com/contactbridge/contactbridge/hub/registry"
	"github.com/contactbridge/contactbridge/web/api"
)

func hubWebhookTest(f *hubFlags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "test ID", Short: "Send a webhook an event to try it, signed like real ones", Args: takes("ID"),
		Long: `Send a webhook an event of kind webhook.test now, as it is sent real ones: signed, and only to addresses that the hub may ask. It is not
tried again. Exit status 1 means that the receiver did not take it.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				d, err := h.TestWebhook(ctx, args[0])
				if err != nil {
					return err
				}
				if asJSON {
					if err := printJSON(cmd.OutOrStdout(), api.Delivery(d)); err != nil {
						return err
					}
				}
				if d.Problem != "" {
					return &failure.Error{Message: "the test was not taken: " + d.Problem, Hint: "Correct the receiver, and try again."}
				}
				if !asJSON {
					fmt.Fprintf(cmd.OutOrStdout(), "the test was %s, after %s\n", d.Sending, d.Took.Round(time.Millisecond))
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

func hubWebhookDeliveries(f *hubFlags) *cobra.Command {
	var limit int
	var before int64
	var asJSON bool
	cmd := &cobra.Command{
		Use: "deliveries ID", Short: "List what a webhook was sent, or will be, newest first", Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				list, err := h.Deliveries(ctx, args[0], before, limit)
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), api.Deliveries(list))
				}
				t := newTable("ID", "HAPPENED", "EVENT", "SUBJECT", "STATE", "TRIES", "STATUS", "TOOK", "ANSWER OR PROBLEM")
				for _, d := range list {
					t.row(strconv.FormatInt(d.ID, 10), d.Event.Time.Local().Format("2006-01-02 15:04:05"), d.Event.Kind, orDash(d.Event.Subject), delivered(d),
						strconv.Itoa(d.Attempts), statusOf(d), d.Took.Round(time.Millisecond).String(), answerOf(d))
				}
				return t.print(cmd.OutOrStdout(), "Nothing was sent yet. To try it: contactbridge hub webhook test "+args[0])
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 20, "deliveries to list")
	cmd.Flags().Int64Var(&before, "before", 0, "only deliveries before this `ID`: where a list goes on")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON array")
	return cmd
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func delivered(d registry.SentDelivery) string {
	switch {
	case !d.Ended.IsZero() && d.Problem == "":
		return "delivered"
	case !d.Ended.IsZero():
		return "failed"
	case d.Attempts > 0:
		return "tried again in " + roughly(time.Until(d.Next))
	}
	return "waiting"
}

func statusOf(d registry.SentDelivery) string {
	if d.Status == 0 {
		return "-"
	}
	return strconv.Itoa(d.Status)
}

func answerOf(d registry.SentDelivery) string {
	if d.Problem != "" && d.Attempts > 0 {
		return d.Problem
	}
	return d.Answer
}

func hubWebhookRetry(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "retry ID DELIVERY", Short: "Send a webhook an event again; the running hub does it", Args: takes("ID", "DELIVERY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			delivery, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil {
				return misuse("DELIVERY is not a number", "Look at the list: contactbridge hub webhook deliveries "+args[0])
			}
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				if err := h.Redeliver(ctx, args[0], delivery); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "it is sent again")
				return nil
			})
		},
	}
}

func hubWebhookEnable(f *hubFlags) *cobra.Command {
	return &cobra.Command{
		Use: "enable ID", Short: "Go on telling a webhook that was disabled because it took nothing for a day", Args: takes("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.work(cmd, func(ctx context.Context, h *hub.Hub) error {
				if err := h.EnableWebhook(ctx, args[0]); err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), "the webhook is enabled; what waits is sent")
				return nil
			})
		},
	}
}
