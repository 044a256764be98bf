// Package attack tries on the real engine what broke others: hostile images, containers that race their own start,
// archives, users and clients. docs/threats.md says which attack each test tries and which defence it wants.
package attack
