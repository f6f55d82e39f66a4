#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Health checks, as docker's HEALTHCHECK has them.
load helpers

service()
{
	keeps
	spec_file "$1"
	nacelle run -d --name "$ID" "$SPEC"
}
health_is()
{
	[ "$(state .health.status)" = "$1" ]
}

# bats test_tags=smoke
@test "starting, healthy, unhealthy: in state and list, with what the check said" {
	service '{ "args": ["sleep", "1000"], "health": { "cmd": "cat /ok || { echo sick; exit 1; }", "interval": "300ms", "retries": 2, "start_period": "1h", "start_interval": "300ms" } }'
	health_is starting
	run -0 nacelle list
	has "running (starting)"
	# failures do not count before the first success
	until_true 20 bash -c "[ \$(jq .exitStatus $STATE/$ID/health.json) = 1 ]"
	sleep 1
	health_is starting
	nacelle exec "$ID" sh -c 'echo fine >/ok'
	until_true 20 health_is healthy
	run -0 nacelle list
	has "running (healthy)"
	[ "$(state .health.last.output)" = fine ]
	nacelle exec "$ID" rm /ok
	until_true 20 health_is unhealthy
	[ "$(state .health.failingStreak)" -ge 2 ]
	[[ "$(state .health.last.output)" == *sick* ]]
	# without a restart policy it goes on
	status_is running
	[ "$(nacelle list --format json | jq -r '.[0].health')" = unhealthy ]
}

# bats test_tags=smoke
@test "an unhealthy container with a restart policy is destroyed and started again" {
	service '{ "args": ["sh", "-c", "trap \"echo bye; exit 0\" TERM; echo up; while :; do sleep 0.05; done"], "restart": "on-failure",
		"health": { "cmd": ["test", "-e", "/ok"], "interval": "300ms", "retries": 2 } }'
	until_true 20 bash -c "[ \$(jq .restarts $STATE/$ID/note) -ge 1 ]"
	# it was asked to end first
	says bye
	until_true 20 status_is running
	[ "$(state .lastExit.unhealthy)" = true ]
	nacelle stop "$ID"
	status_is stopped
}

@test "a check that hangs is killed after its time, and has failed" {
	service '{ "args": ["sleep", "1000"], "health": { "cmd": "sleep 777", "interval": "100ms", "timeout": "300ms", "retries": 1 } }'
	until_true 20 health_is unhealthy
	[ "$(state .health.last.timedOut)" = true ]
	nacelle stop -t 0 "$ID"
	[ -z "$(pgrep -f '^sleep 777$')" ]
}

@test "a check whose program is not there has failed, and says why" {
	service '{ "args": ["sleep", "1000"], "health": { "test": ["CMD", "/no-such-check"], "interval": "100ms", "retries": 1 } }'
	until_true 20 health_is unhealthy
	[[ "$(state .health.last.output)" == *no-such-check* ]]
}

@test "healthcheck runs it once, by hand" {
	service '{ "args": ["sleep", "1000"], "health": { "cmd": "echo seen; test -e /ok", "interval": "1h" } }'
	run -1 nacelle healthcheck "$ID"
	is seen
	nacelle exec "$ID" touch /ok
	run -0 nacelle healthcheck "$ID"
	nacelle delete --force "$ID"
	service '{ "args": ["sleep", "1000"] }'
	run -125 nacelle healthcheck "$ID"
	has "has no health check"
}

@test "docker's options, and their refusals" {
	keeps
	spec_file '{ "args": ["sleep", "1000"], "health": { "cmd": "false", "interval": "1h" } }'
	nacelle run -d --name "$ID" --health-cmd 'test -d /etc' --health-interval 200ms --health-retries 2 --health-timeout 5s \
		--health-start-period 1s "$SPEC"
	until_true 20 health_is healthy
	nacelle delete --force "$ID"
	nacelle run -d --name "$ID" --no-healthcheck "$SPEC"
	[ "$(state .health)" = null ]
	run -125 nacelle run -d --no-healthcheck --health-cmd true "$SPEC"
	has "--no-healthcheck"
	run -125 nacelle run -d --health-interval soon "$SPEC"
	has 'health.interval: "soon"'
	run -125 nacelle run "$SPEC"
	has "a health check needs a keeper"
	one_line
}

@test "a paused container is not asked" {
	service '{ "args": ["sleep", "1000"], "health": { "cmd": "true", "interval": "100ms", "retries": 1 } }'
	until_true 20 health_is healthy
	nacelle pause "$ID"
	sleep 0.7
	health_is healthy
	nacelle resume "$ID"
	status_is running
}
