-- NaN is greater than any number, so "> 0" alone lets it pass.
ALTER TABLE meter ADD CHECK (poll_every_s < 'Infinity');
