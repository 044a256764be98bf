//go:build linux

package image

import "context"

// ImageTag gives the image that ref resolves to another name. Errors: NotFound for ref, Invalid for target.
func (s *Service) ImageTag(ctx context.Context, ref, target string) error {
	named, err := parseTagged(target)
	if err != nil {
		return err
	}
	ctx = s.ctx(ctx)
	stored, err := s.find(ctx, ref)
	if err != nil {
		return err
	}
	_, err = s.setName(ctx, named.String(), stored.Target)
	return err
}
