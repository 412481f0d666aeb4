import { Menu, Button } from '@mantine/core';
import { IconRefresh } from '@tabler/icons-react';
import { useNavigate } from 'react-router';
import { beginJob } from '@/api/jobs';
import { tellError } from '@/components/notices';
import { useCatalogTexts } from './texts';

/** Fetches the repositories of catalogs and templates that the server was told of. */
export function UpdateCatalog() {
  const say = useCatalogTexts();
  const navigate = useNavigate();
  const begin = async (kind: 'catalog-update' | 'templates-update') => {
    try {
      const job = await beginJob(kind, {});
      await navigate(`/downloads/${job.id}`);
    } catch (error) {
      tellError(error);
    }
  };
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <Button variant="default" leftSection={<IconRefresh size={18} aria-hidden />}>
          {say.update}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => void begin('catalog-update')}>{say.updateCatalog}</Menu.Item>
        <Menu.Item onClick={() => void begin('templates-update')}>{say.updateTemplates}</Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
