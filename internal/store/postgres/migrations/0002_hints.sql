-- compatible: 1
--
-- Word that the carrier has news of an attempt, for the node that works on it. That
-- node takes it away within a second, so there are few; what was left for a node
-- that is no more is forgotten.
CREATE TABLE hints (
  node    text COLLATE "C" NOT NULL,
  attempt text COLLATE "C" NOT NULL,
  PRIMARY KEY (node, attempt)
);
