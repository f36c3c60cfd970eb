package console

// CheapPasswords lets every console from now on make hashes that are little work: the tests sign in hundreds of times.
func CheapPasswords() { presentCost = cost{memory: 64, passes: 1, threads: 1} }
