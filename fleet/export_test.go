package fleet

// NewLockerOf is NewLocker with leases of another length.
var NewLockerOf = newLocker
