import { Text, UnstyledButton } from '@mantine/core';
import { IconChevronRight } from '@tabler/icons-react';
import { type ReactNode, useId, useState } from 'react';
import classes from './Message.module.css';

interface Props {
  /** Beside the arrow. */
  label: ReactNode;
  icon?: ReactNode;
  children: ReactNode;
}

/** Something that is folded away until somebody wants it, and costs nothing until then. */
export function Fold({ label, icon, children }: Props) {
  const [isOpen, setOpen] = useState(false);
  const id = useId();
  return (
    <div>
      <UnstyledButton className={classes.fold} aria-expanded={isOpen} aria-controls={isOpen ? id : undefined} onClick={() => setOpen(!isOpen)}>
        <IconChevronRight size={16} aria-hidden className={isOpen ? classes.turned : classes.straight} />
        {icon}
        <Text size="sm" className="numbers">
          {label}
        </Text>
      </UnstyledButton>
      {isOpen && <div id={id}>{children}</div>}
    </div>
  );
}
