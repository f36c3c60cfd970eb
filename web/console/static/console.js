// The console works without this script: it adds what forms and links cannot do.
(function () {
	"use strict";

	// Copy buttons, where the browser lets pages write to the clipboard.
	if (navigator.clipboard) {
		document.querySelectorAll("button[data-copy]").forEach(function (button) {
			button.hidden = false;
			button.addEventListener("click", function () {
				var input = document.getElementById(button.dataset.copy);
				input.select();
				navigator.clipboard.writeText(input.value).then(function () { button.textContent = "Copied"; });
			});
		});
	}

	// The slash goes to the who-is-calling box; Escape leaves its answer.
	var box = document.getElementById("caller-number");
	document.addEventListener("keydown", function (event) {
		var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
		if (box && event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
			event.preventDefault();
			box.focus();
			box.select();
		}
		if (event.key === "Escape") {
			var answer = document.getElementById("caller-answer");
			if (answer && answer.firstElementChild) {
				answer.replaceChildren();
				box.focus();
			}
		}
	});
	document.addEventListener("click", function (event) {
		var form = document.querySelector("form.caller");
		if (form && !form.contains(event.target)) {
			document.getElementById("caller-answer").replaceChildren();
		}
	});

	// A problem goes when its field is changed: the hub judges anew when the form is sent.
	document.addEventListener("input", function (event) {
		var place = event.target.closest(".field, .ticks"), form = event.target.form;
		if (!place || !form || form.method !== "post") {
			return;
		}
		var told = place.querySelector(".field-problem"), result = form.querySelector("#test-result");
		if (told) {
			document.querySelectorAll(".problem [data-about]").forEach(function (one) {
				var box = one.closest(".problem");
				if (one.dataset.about === told.dataset.about) {
					one.remove();
				}
				if (!box.querySelector("[data-about]")) {
					box.remove();
				}
			});
			told.remove();
			place.querySelectorAll("[aria-invalid]").forEach(function (input) { input.removeAttribute("aria-invalid"); });
		}
		if (result) { // it was about what was there before
			result.replaceChildren();
		}
	});

	// Who pressed a button stays where it was: on the page that comes back, and where a part of it is replaced.
	var place = "contactbridge-focus";
	function focusOn(id) {
		var now = document.getElementById(id) || document.getElementById("actions");
		if (now) {
			now.focus({ preventScroll: true });
		}
	}
	document.addEventListener("submit", function (event) {
		var button = event.submitter;
		if (button && button.id && button.closest("#actions")) {
			sessionStorage.setItem(place, location.pathname + " " + button.id);
		}
	});
	var kept = (sessionStorage.getItem(place) || "").split(" ");
	sessionStorage.removeItem(place);
	if (kept[0] === location.pathname) {
		focusOn(kept[1]);
	}
	var lost = "";
	document.addEventListener("htmx:beforeSwap", function (event) {
		var has = document.activeElement;
		lost = has && has !== event.detail.target && event.detail.target.contains(has) ? has.id || "actions" : "";
	});
	document.addEventListener("htmx:afterSettle", function () {
		if (lost && document.activeElement === document.body) {
			focusOn(lost);
		}
		lost = "";
	});

	// A page that is not kept up to date any more says so.
	document.addEventListener("htmx:sseError", function () { document.documentElement.dataset.live = "off"; });
	document.addEventListener("htmx:sseOpen", function () { document.documentElement.dataset.live = "on"; });
	document.addEventListener("htmx:sendError", function () { document.documentElement.dataset.live = "off"; });

	// An account is shown as soon as it is chosen.
	var account = document.getElementById("account-choice");
	if (account) {
		account.form.classList.add("immediate");
		account.addEventListener("change", function () { account.form.submit(); });
	}
})();
