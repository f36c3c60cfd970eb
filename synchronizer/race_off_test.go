//go:build !race

package synchronizer_test

const raceDetector = false
